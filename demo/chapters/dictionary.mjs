import { isDeepStrictEqual } from 'node:util';
import { READING, reading } from '../lib/data.mjs';
import { count, size } from '../lib/format.mjs';
import { writeMany } from '../lib/write.mjs';

/** Writes the same readings with and without a dictionary, and compares what is stored. */
export async function dictionary(screen, db, readings) {
  screen.section('Shorten keys with a dictionary');
  screen.say(`${count(readings)} sensor readings, stored twice: as they are, and with a dictionary that says`);
  screen.say(
    `${Object.entries(READING.deflate)
      .slice(0, 3)
      .map(([long, short]) => `${long} → ${short}`)
      .join(', ')}, …`,
  );
  db.addDictionary('reading', READING);
  const key = (n) => `reading-${n}`;
  await writeMany(readings, (n) => db.write('readings-plain', key(n), reading(n)));
  await writeMany(readings, (n) => db.write('readings', key(n), reading(n), { dictionary: 'reading' }));

  const { tables } = await db.stats();
  const [plain, short] = ['readings-plain', 'readings'].map((table) => tables.find(({ name }) => name === table));
  const saved = 1 - short.liveBytes / plain.liveBytes;
  screen.check(
    saved > 0,
    `${size(plain.liveBytes)} become ${size(short.liveBytes)}: ${Math.round(saved * 100)} % saved`,
  );
  const last = readings - 1;
  screen.check(isDeepStrictEqual(await db.get('readings', key(last)), reading(last)), 'read back, the keys are long');
  return { plain: plain.liveBytes, short: short.liveBytes, saved };
}
