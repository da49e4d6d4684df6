// Processes that increment shared counters, of which one is killed now and then, and what must have come of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CairnDB } from 'cairndb';

/** How many increments a line of a worker stands for. */
const REPORTED = 10;
const WORKER = fileURLToPath(new URL('worker.mjs', import.meta.url));

/**
 * @typedef {object} Race
 * @property {string} directory
 * @property {number} processes
 * @property {number} increments what each process does
 * @property {number} counters how many there are, for all to meet at
 * @property {number} perKill increments from one kill to the next, of all together. Kills that came by the clock would, on
 *   a slow machine, leave the processes no time but for starting.
 */

/**
 * @param {Race} race
 * @returns {Promise<{ kills: number }>}
 */
export async function race({ directory, processes, increments, counters, perKill }) {
  const running = new Map();
  let done = 0;
  let kills = 0;

  function report(lines) {
    done += REPORTED * lines.split('\n').filter((line) => /^\d+$/.test(line)).length;
    if (done < (kills + 1) * perKill) return;
    const victims = [...running.values()];
    kills += victims[Math.floor(Math.random() * victims.length)].kill('SIGKILL') ? 1 : 0;
  }

  async function run(id) {
    for (;;) {
      const child = spawn(process.execPath, [WORKER, directory, id, increments, counters, REPORTED], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child.stdout.setEncoding('utf8').on('data', report);
      running.set(id, child);
      const [code, signal] = await once(child, 'exit');
      running.delete(id);
      if (signal !== 'SIGKILL') return assert.equal(code, 0, `process ${id} ended with ${code ?? signal}`);
    }
  }

  await Promise.all(Array.from({ length: processes }, (_, index) => run(`p${index}`)));
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
