import { setTimeout } from 'node:timers/promises';
import { session } from '../lib/data.mjs';
import { count } from '../lib/format.mjs';
import { writeMany } from '../lib/write.mjs';

const SHORT_TTL = 50;
const LONG_TTL = 3_600_000;

/** Writes sessions of which every second one expires at once. */
export async function expiration(screen, db, sessions) {
  const half = sessions / 2;
  screen.section('Let sessions expire');
  screen.say(`${count(sessions)} sessions; every second one lives ${SHORT_TTL} ms, the others an hour.`);
  await writeMany(sessions, (n) =>
    db.write('sessions', `session-${n}`, session(n), { ttl: n % 2 === 0 ? SHORT_TTL : LONG_TTL }),
  );
  const written = await liveRecords(db);
  await setTimeout(SHORT_TTL + 10);

  const there = Array.from({ length: sessions }, (_, n) => db.getSync('sessions', `session-${n}`) !== undefined);
  const gone = there.filter((isThere, n) => n % 2 === 0 && !isThere).length;
  const kept = there.filter((isThere, n) => n % 2 === 1 && isThere).length;
  screen.check(gone === half && kept === half, `${count(gone)} are gone for readers, ${count(kept)} are still there`);
  await db.cleanupExpired('sessions');
  const left = await liveRecords(db);
  screen.check(
    written === sessions && left === half,
    `cleanupExpired() leaves ${count(left)} of ${count(written)} stored records`,
  );
  return { gone, kept };
}

/** Records of the table that take up space, expired or not. */
async function liveRecords(db) {
  const { tables } = await db.stats();
  return tables.find(({ name }) => name === 'sessions').liveRecords;
}
