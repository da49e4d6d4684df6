import { CairnDB } from 'cairndb';
import { cityKey } from '../lib/data.mjs';
import { count, duration, perSecond } from '../lib/format.mjs';

/** Opens the database and reads it: one record after the other, in no order, and a range. */
export async function reads(screen, directory, cities, { number, prefix }) {
  screen.section('Close, open, read');
  const start = performance.now();
  const db = await CairnDB.open(directory);
  const openTime = performance.now() - start;
  screen.say(
    `After a close(), opening takes ${duration(openTime)}. Then ${count(number)} cities are read in random order.`,
  );

  const chosen = Array.from({ length: number }, () => cities[Math.floor(Math.random() * cities.length)]);
  const keys = chosen.map(cityKey);
  // Once without the clock: the first reads bring the files into memory, and teach the compiler of JavaScript.
  await readAwaited(db, keys, chosen);
  readSync(db, keys, chosen);
  const sync = await timed(screen, 'getSync()', number, () => readSync(db, keys, chosen));
  const awaited = await timed(screen, 'await get()', number, () => readAwaited(db, keys, chosen));
  const scanned = await scan(screen, db, cities, prefix);
  return { db, openTime, sync, awaited, scanned };
}

/** Reads all keys, and counts the values that are the right ones. */
function readSync(db, keys, chosen) {
  let right = 0;
  for (let n = 0; n < keys.length; n++) {
    if (db.getSync('cities', keys[n]).name === chosen[n].name) right += 1;
  }
  return right;
}

async function readAwaited(db, keys, chosen) {
  let right = 0;
  for (let n = 0; n < keys.length; n++) {
    if ((await db.get('cities', keys[n])).name === chosen[n].name) right += 1;
  }
  return right;
}

async function timed(screen, name, number, read) {
  const start = performance.now();
  const right = await read();
  const rate = perSecond(number, performance.now() - start);
  screen.check(right === number, `${name}: ${rate} reads/s, every value the right one`);
  return rate;
}

async function scan(screen, db, cities, prefix) {
  const start = performance.now();
  const found = [];
  for await (const [, city] of db.entries('cities', { prefix })) found.push(city.name);
  const time = performance.now() - start;
  const expected = cities.filter((city) => cityKey(city).startsWith(prefix)).length;
  screen.check(
    found.length === expected,
    `entries('cities', { prefix: '${prefix}' }): ${count(found.length)} records in ${duration(time)}`,
  );
  return { prefix, found: found.length, time };
}
