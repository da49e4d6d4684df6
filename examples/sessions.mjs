// Sessions that end when they are not used for half an hour.

import { CairnDB } from 'cairndb';

const HALF_AN_HOUR = 30 * 60_000;

const db = await CairnDB.open('./data');

/** The session, which lives for another half hour, or undefined if there is none any more. */
async function touch(id) {
  const session = await db.get('sessions', id);
  if (session === undefined) return undefined;
  session.seen += 1;
  await db.write('sessions', id, session, { ttl: HALF_AN_HOUR });
  return session;
}

await db.write('sessions', 'a1', { user: 'alice', seen: 0 }, { ttl: HALF_AN_HOUR });
await db.write('sessions', 'b2', { user: 'bob', seen: 0 }, { expiresAt: Date.now() - 1 });

console.log(await touch('a1'));
//> { user: 'alice', seen: 1 }
console.log(await touch('b2'));
//> undefined

const { version, expiration } = await db.getRecord('sessions', 'a1');
console.log(version, expiration > Date.now());
//> 2 true

console.log(await db.getTableSize('sessions'), await db.cleanupExpired('sessions'));
//> 1 1

await db.close();
