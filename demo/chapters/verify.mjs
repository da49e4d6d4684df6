import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { count, duration, size } from '../lib/format.mjs';

/** Checks every byte on disk, makes the database as small as it gets, and closes it. */
export async function verify(screen, db) {
  screen.section('Check every byte');
  const start = performance.now();
  const { files, bytes, checked, damage } = await db.verify();
  const time = performance.now() - start;
  screen.check(
    damage.length === 0,
    `verify(): ${count(files)} files, ${size(bytes)}, ${count(checked)} entries good, ` +
      `${count(damage.length)} damaged, in ${duration(time)}`,
  );
  await db.compact();
  const { tables, liveRecords } = await db.stats();
  await db.close();
  const cities = tables.find(({ name }) => name === 'cities');
  const citiesBytes = cities.stones.reduce((sum, stone) => sum + stone, 0);
  const diskBytes = readdirSync(db.directory).reduce((sum, name) => sum + statSync(join(db.directory, name)).size, 0);
  return { checked, damaged: damage.length, tables: tables.length, liveRecords, citiesBytes, diskBytes };
}
