import { isDeepStrictEqual } from 'node:util';
import { READING, reading } from '../lib/data.mjs';
import { count, size } from '../lib/format.mjs';
import { writeMany } from '../lib/write.mjs';

/** Writes readings with long keys, and compares what is stored with their JSON; then some with a dictionary. */
export async function keys(screen, db, readings) {
  screen.section('Keys are stored once');
  screen.say(
    `${count(readings)} sensor readings, whose keys are ${Object.keys(READING.deflate).slice(0, 2).join(', ')}, …`,
  );
  const key = (n) => `reading-${n}`;
  await writeMany(readings, (n) => db.write('readings', key(n), reading(n)));

  const text = Array.from({ length: readings }, (_, n) => key(n).length + JSON.stringify(reading(n)).length);
  const json = text.reduce((sum, length) => sum + length, 0);
  const { liveBytes } = (await db.stats()).tables.find(({ name }) => name === 'readings');
  const saved = 1 - liveBytes / json;
  screen.check(saved > 0.5, `${size(json)} of JSON become ${size(liveBytes)}: ${Math.round(saved * 100)} % saved`);

  const [[long, short]] = Object.entries(READING.deflate);
  screen.say(`Again with a dictionary, by which ${long} is stored as ${short}, and so on.`);
  db.addDictionary('reading', READING);
  await writeMany(readings, (n) => db.write('readings-short', key(n), reading(n), { dictionary: 'reading' }));
  const last = readings - 1;
  const found = await db.get('readings-short', key(last));
  screen.check(isDeepStrictEqual(found, reading(last)), 'read back, the keys are long');
  return { json, stored: liveBytes, saved };
}
