import { cityKey } from '../lib/data.mjs';
import { count } from '../lib/format.mjs';
import { writeMany } from '../lib/write.mjs';

/** Updates the records of a country, `home` once more, and shows what the database knows about that one. */
export async function versions(screen, db, cities, home) {
  const updated = cities.filter(({ country }) => country === home.country);
  const key = cityKey(home);
  screen.section('Update, and see the versions');
  screen.say(`All ${count(updated.length)} cities of ${home.country} are written again, and ${home.name} once more.`);
  await writeMany(updated.length, (n) => db.write('cities', cityKey(updated[n]), { ...updated[n], visited: true }));
  await db.write('cities', key, { ...home, visited: true, rating: 5 });

  const { value, version, timestamp } = await db.getRecord('cities', key);
  screen.check(
    version === 3 && value.rating === 5,
    `getRecord('cities', '${key}'): version ${version}, written ${new Date(timestamp).toISOString()}`,
  );
  const code = await db.write('cities', key, value, { ifVersion: 2 }).catch((error) => error.code);
  screen.check(code === 'ERR_CAIRN_CONFLICT', `a write that insists on version 2 is refused: ${code}`);
  return { key, version, updated: updated.length };
}
