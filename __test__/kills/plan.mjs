// What happens in a round, from the seed alone: the writer and the oracle make the same plan, and need not tell each
// other what was written.

/** The moments that a kill may wait for. `ack`: a number of acknowledgements. */
const MOMENTS = ['ack', 'ack', 'ack', 'opening', 'flush', 'compact', 'close', 'drop'];
const KEYS = 120;

/** Numbers from a seed: the same ones for the same parts. */
export function random(...parts) {
  let state = parts.reduce((hash, part) => mix(hash ^ (part + 1)), 0x2545f491);
  const next = () => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state) >>> 0;
  };
  const below = (end) => Math.floor((next() / 2 ** 32) * end);
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: (list) => list[below(list.length)],
  };
}

function mix(number) {
  let hash = Math.imul(number ^ (number >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return hash ^ (hash >>> 15);
}

/** How a round goes: who writes, with which options, and when it is killed. */
export function planRound(seed, round) {
  const rng = random(seed, round);
  return {
    /** One writer is the main thread, several are workers. */
    writers: rng.pick([1, 1, 2, 3, 4]),
    level: rng.pick(['eventual', 'os', 'full', 'mixed']),
    options: {
      memtableBytes: 65_536,
      mmap: rng.chance(70),
      flushInterval: rng.pick([1, 20, 100]),
      syncInterval: rng.pick([1, 50, 1000]),
      reclaimDelay: rng.pick([0, 0, 20, 10_000]),
      keepGenerations: rng.pick([1, 1, 3]),
    },
    /** Whether a reader is killed as well, while it recovers what the writer left. */
    killsReader: rng.chance(20),
    readerDelay: rng.below(6000),
    /** Waits for the `count`th `moment`, and `delay` microseconds more. */
    kill: planKill(rng),
  };
}

function planKill(rng) {
  const moment = rng.pick(MOMENTS);
  const count =
    moment === 'ack' ? Math.floor(2 ** (rng.below(1000) / 100)) : 1 + rng.below(moment === 'opening' ? 1 : 2);
  return { moment, count, delay: rng.below(rng.pick([300, 3000, 15_000])) };
}

/** The operations of a writer, without end. What a writer writes is in tables of its own. */
export function* operations(seed, round, writer) {
  const rng = random(seed, round, writer, 7);
  const { level } = planRound(seed, round);
  const levels = level === 'mixed' ? ['eventual', 'eventual', 'os', 'full'] : [level];
  for (;;) yield operation(rng, writer, rng.pick(levels));
}

function operation(rng, writer, level) {
  const kind = rng.below(1000);
  if (kind < 8) return { kind: 'drop', table: `w${writer}-${rng.below(3)}` };
  if (kind < 14) return { kind: 'flush' };
  if (kind < 20) return { kind: 'compact' };
  if (kind < 25) return { kind: 'close' };
  if (kind < 200)
    return { kind: 'batch', items: Array.from({ length: 1 + rng.below(8) }, () => item(rng, writer)), level };
  return { kind: 'single', items: [item(rng, writer)], level };
}

function item(rng, writer) {
  const place = { table: `w${writer}-${rng.below(3)}`, key: `k${rng.below(KEYS)}` };
  if (rng.chance(20)) return { type: 'del', ...place };
  // Most are small, some fill a page or two, a few are too large to be written at once.
  const length = rng.chance(90) ? rng.below(400) : rng.pick([5000, 20_000, rng.chance(10) ? 300_000 : 3000]);
  return { type: 'put', ...place, length, conditional: rng.chance(10) };
}

/** The value of the `part`th item of an operation: no two are alike. */
export function contentOf({ length }, round, index, part) {
  return { by: `${round}/${index}/${part}`, filler: 'x'.repeat(length) };
}
