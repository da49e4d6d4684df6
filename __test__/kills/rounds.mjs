// Kills a writer again and again, always in the same directory, and looks each time at what is there.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CairnDB } from 'cairndb';
import { scriptArgs } from '../helpers.mjs';
import { Oracle, parseTrace, readAll } from './oracle.mjs';
import { planRound } from './plan.mjs';

/** A writer whose moment never comes is killed all the same. */
const PATIENCE = 60_000;

function start(name, ...args) {
  const file = fileURLToPath(new URL(name, import.meta.url));
  return spawn(process.execPath, [...scriptArgs(file), ...args.map(String)], { stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Waits some microseconds; timers are too coarse for short ones. */
async function pause(microseconds) {
  if (microseconds > 2000) return wait(microseconds / 1000);
  const until = performance.now() + microseconds / 1000;
  while (performance.now() < until);
}

/** Lets a child run until its moment, kills it, and returns all that it has printed. */
async function runAndKill(child, { moment, count, delay }) {
  const output = { stdout: '', stderr: '' };
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
  const sign = moment === 'ack' ? 'a ' : `b ${moment}\n`;
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    let seen = 0;
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output.stdout += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      seen += lines.filter((line) => `${line}\n`.startsWith(sign)).length;
      if (seen >= count) done();
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output.stderr += text;
    });
    child.once('exit', done);
  });
  await pause(delay);
  child.kill('SIGKILL');
  const { code, signal } = await ended;
  assert.equal(output.stderr, '');
  assert.equal(signal, 'SIGKILL', `the child ended by itself, with ${code}`);
  return output.stdout;
}

/** One round: a writer is killed, sometimes a reader too, and then everything that must be there is. */
async function runRound({ oracle, directory, found, cutPower, seed, round }) {
  const plan = planRound(seed, round);
  const trace = parseTrace(await runAndKill(start('writer.mjs', directory, seed, round), plan.kill));
  await cutPower?.(round);
  if (plan.killsReader) {
    await runAndKill(start('reader.mjs', directory), { moment: 'opening', count: 1, delay: plan.readerDelay });
  }
  // What was found, to look into if the check fails: opening changes it.
  cpSync(directory, found, { recursive: true });
  const db = await CairnDB.open(directory, plan.options);
  const actual = await readAll(db);
  const checked = oracle.check({ seed, round, level: plan.level, actual, trace, powerWasCut: cutPower !== undefined });
  const { damage } = await db.verify();
  assert.deepEqual(damage, [], 'every file is whole');
  await db.close();
  rmSync(found, { recursive: true });
  return { checked, moment: plan.kill.moment, stones: stonesMade(directory) };
}

/** How many table files were ever begun: their numbers only grow. */
function stonesMade(directory) {
  const numbers = readdirSync(directory).map((name) => Number(/^(\d+)\.stone$/.exec(name)?.[1] ?? 0));
  return Math.max(0, ...numbers);
}

/**
 * Runs rounds `0..rounds` of a seed in one directory. If one fails the directory stays, and the error says where it is
 * and how to run the rounds again. `disk` is another place for it, with a way to cut its power after each kill.
 */
export async function runRounds({ rounds, seed, onRound = () => {}, disk }) {
  const parent = mkdtempSync(join(tmpdir(), 'cairndb-kills-'));
  const found = join(parent, 'found');
  const place = { directory: disk?.directory ?? join(parent, 'data'), found, cutPower: disk?.cutPower };
  const oracle = new Oracle();
  const total = { rounds, checked: 0, moments: {}, stones: 0 };
  for (let round = 0; round < rounds; round += 1) {
    try {
      const { checked, moment, stones } = await runRound({ ...place, oracle, seed, round });
      total.checked += checked;
      total.moments[moment] = (total.moments[moment] ?? 0) + 1;
      total.stones = Math.max(total.stones, stones);
      onRound(round, total);
    } catch (error) {
      error.message = `round ${round} of seed ${seed}: ${error.message}
plan: ${JSON.stringify(planRound(seed, round))}
what the kill left is in ${found}
again: ${disk?.again ?? 'node __test__/kills/run.mjs'} --rounds ${round + 1} --seed ${seed}`;
      throw error;
    }
  }
  rmSync(parent, { recursive: true });
  return total;
}
