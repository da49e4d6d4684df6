#!/usr/bin/env node
// Kills writers for as many rounds as asked:
//   node __test__/kills/run.mjs --rounds 500 --seed 1
// The last line says what was done. The exit code is 1 if anything was lost.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { runRounds } from './rounds.mjs';

const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' } } });
const rounds = Number(values.rounds ?? 500);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (!Number.isSafeInteger(rounds) || rounds < 1 || !Number.isSafeInteger(seed)) {
  throw new Error('--rounds takes a number above 0, --seed a whole number');
}

try {
  const total = await runRounds({
    rounds,
    seed,
    onRound: (round, { checked }) => {
      if (round % 50 === 49) console.log(`${round + 1} rounds, ${checked} acknowledged writes checked`);
    },
  });
  const moments = Object.entries(total.moments).map(([moment, count]) => `${count} at ${moment}`);
  console.log(`killed: ${moments.join(', ')}; ${total.stones} table files were begun`);
  console.log(`kills: ${total.rounds} rounds, ${total.checked} acknowledged writes checked, seed ${seed}`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
