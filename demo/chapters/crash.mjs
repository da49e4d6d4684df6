import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { CairnDB } from 'cairndb';
import { order, orderKey } from '../lib/data.mjs';
import { count, duration } from '../lib/format.mjs';

const WRITER = fileURLToPath(new URL('../writer.mjs', import.meta.url));

/**
 * Has another process write, kills it in the middle of that, and opens what it left. Resolves to the database, open.
 *
 * @param {string} directory of a database that is closed
 * @param {{ acknowledgements: number, tables: Record<string, number> }} expected how many to wait for before the kill,
 * and the sizes of the tables that were there before
 */
export async function crash(screen, directory, { acknowledgements, tables }) {
  screen.section('kill -9 in the middle of writing');
  screen.say('Another process opens this database and writes orders, 64 in flight, at the default level. It');
  screen.say('prints the number of each order that is acknowledged, and gets SIGKILL while it goes on.');
  screen.say('(That ends the process, not the machine: the level "full" is there for power cuts.)');
  const { signal, acknowledged } = await killedWriter(
    directory,
    acknowledgements,
    screen.progress(acknowledgements, 'acknowledged'),
  );
  screen.check(signal === 'SIGKILL', `killed by ${signal} after ${count(acknowledged.length)} acknowledged writes`);

  const start = performance.now();
  const db = await CairnDB.open(directory);
  const openTime = performance.now() - start;
  const isRight = (n) => isDeepStrictEqual(db.getSync('orders', orderKey(n)), order(n));
  const found = acknowledged.filter(isRight).length;
  screen.check(
    found === acknowledged.length && found >= acknowledgements,
    `reopened in ${duration(openTime)}: ${count(found)} of ${count(acknowledged.length)} acknowledged orders are there`,
  );
  await checkUnacknowledged(screen, db, found);
  const sizes = await Promise.all(Object.keys(tables).map((table) => db.getTableSize(table)));
  screen.check(isDeepStrictEqual(sizes, Object.values(tables)), 'and so is everything that was written before');
  return { db, openTime, acknowledged: acknowledged.length, found };
}

/** Starts the writer, and kills it after so many acknowledgements. */
function killedWriter(directory, acknowledgements, report) {
  return new Promise((resolve, reject) => {
    const child = fork(WRITER, [directory], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    let text = '';
    let lines = 0;
    child.stdout.setEncoding('utf8').on('data', (data) => {
      text += data;
      lines += data.split('\n').length - 1;
      if (!child.killed) report(Math.min(lines, acknowledgements));
      if (lines >= acknowledgements) child.kill('SIGKILL');
    });
    child.on('error', reject);
    // What follows the last line break is a number that was cut off.
    child.on('close', (_, signal) => resolve({ signal, acknowledged: text.split('\n').slice(0, -1).map(Number) }));
  });
}

/** What the kill caught between the write and its acknowledgement may be there or not, but never in part. */
async function checkUnacknowledged(screen, db, found) {
  let stored = 0;
  let whole = 0;
  for await (const [key, value] of db.entries('orders')) {
    stored += 1;
    if (isDeepStrictEqual(value, order(Number(key.slice('order-'.length))))) whole += 1;
  }
  screen.check(
    whole === stored,
    `${count(stored - found)} more had been written but not acknowledged; each of them is whole`,
  );
}
