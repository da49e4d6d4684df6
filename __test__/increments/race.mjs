// Processes that increment shared counters, of which one is killed now and then, and what must have come of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CairnDB } from 'cairndb';

const WORKER = fileURLToPath(new URL('worker.mjs', import.meta.url));

/**
 * @typedef {object} Race
 * @property {string} directory
 * @property {number} processes
 * @property {number} increments what each process does
 * @property {number} counters how many there are, for all to meet at
 * @property {number} interval milliseconds from one kill to the next
 */

/**
 * @param {Race} race
 * @returns {Promise<{ kills: number }>}
 */
export async function race({ directory, processes, increments, counters, interval }) {
  const running = new Map();
  let kills = 0;

  async function run(id) {
    for (;;) {
      const child = spawn(process.execPath, [WORKER, directory, id, increments, counters], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child.stdout.resume();
      running.set(id, child);
      const [code, signal] = await once(child, 'exit');
      running.delete(id);
      if (signal !== 'SIGKILL') return assert.equal(code, 0, `process ${id} ended with ${code ?? signal}`);
    }
  }

  const all = Promise.all(Array.from({ length: processes }, (_, index) => run(`p${index}`)));
  const over = new AbortController();
  all.finally(() => over.abort()).catch(() => {});
  while (await after(interval, true, { signal: over.signal }).catch(() => false)) {
    const victims = [...running.values()];
    if (victims.length === 0) continue;
    kills += victims[Math.floor(Math.random() * victims.length)].kill('SIGKILL') ? 1 : 0;
  }
  await all;
  await check({ directory, processes, increments });
  return { kills };
}

async function check({ directory, processes, increments }) {
  const db = await CairnDB.open(directory);
  try {
    const sum = (entries) => entries.reduce((total, [, value]) => total + value, 0);
    const done = await db.get('done');
    assert.deepEqual(
      done.map(([, count]) => count),
      Array(processes).fill(increments),
      'each has done its part',
    );
    assert.equal(sum(await db.get('counters')), processes * increments, 'the sum of the counters');
    assert.deepEqual((await db.verify()).damage, []);
  } finally {
    await db.close();
  }
}
