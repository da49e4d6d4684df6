// What CairnDB promises of itself beside others, each judged by the figures of a run.

import { keyOf, sizes } from './data.mjs';
import { formatCount, formatFigure, formatSize } from './format.mjs';
import { bestOf, medianOf, SUBJECT, storesOf } from './results.mjs';
import { ratio } from './statistics.mjs';

const LMDB = ['lmdb-shared', 'lmdb', 'lmdb-cache'];
const MOST_OPEN_MS = 20;

const the =
  (...names) =>
  () =>
    names;
const everyDatabase = (results) => storesOf(results, 'database');

/** Whether one store is at least `factor` times as good in a case as the best of the others. */
function compare(results, one, { subject, against, factor }) {
  const figure = medianOf(results, one, subject);
  const best = bestOf(results, one, against(results));
  if (figure === undefined || best === undefined) return undefined;
  const { unit } = one.workload;
  const times = ratio(unit, figure, best.figure);
  const [ours, theirs] = [figure, best.figure].map((number) => formatFigure(unit, number));
  return {
    measured: `${times.toFixed(2)} × ${results.stores[best.name].label} (${ours} and ${theirs})`,
    holds: times >= factor,
  };
}

/** A promise about a workload with objects of one size. */
const promise = (text, id, judge, value = '95B') => ({ text, id, value, judge });

/** That a store is at least `factor` times as good in a workload as the best of the others. */
const atLeast = (text, id, against, { value, subject = SUBJECT, factor = 1 } = {}) =>
  promise(text, id, (results, one) => compare(results, one, { subject, against, factor }), value);

/** The same of reads of hot and of any keys, small and larger objects. */
const atLeastReading = (text, prefix, against, { subject, factor }) =>
  ['95B', '1KB'].flatMap((value) =>
    ['hot', 'uniform'].map((keys) =>
      atLeast(`${text}, ${formatSize(value)}, ${keys}`, `${prefix}-${keys}`, against, {
        value,
        subject,
        factor,
      }),
    ),
  );

/** What `judge` makes of CairnDB's own figure, if there is one. */
const ofItself = (text, id, judge) =>
  promise(text, id, (results, one) => {
    const figure = medianOf(results, one, SUBJECT);
    return figure === undefined ? undefined : judge(figure, one, results);
  });

const opensSoon = (time, { records }) => ({
  measured: `${formatFigure('milliseconds', time)} with ${formatCount(records)} records`,
  holds: time < MOST_OPEN_MS,
});

function opensLikeEmpty(time, _, results) {
  const empty = results.cases.find(({ workload }) => workload.id === 'open-empty');
  const timeOfEmpty = empty && medianOf(results, empty, SUBJECT);
  if (timeOfEmpty === undefined) return undefined;
  const [full, none] = [time, timeOfEmpty].map((figure) => formatFigure('milliseconds', figure));
  return { measured: `${(time / timeOfEmpty).toFixed(2)} times (${full} and ${none})`, holds: time <= 2 * timeOfEmpty };
}

function isHalfOfText(bytes, { records, value }) {
  const text = records * (keyOf(0).length + sizes[value]);
  const [ours, all] = [bytes, text].map((figure) => formatFigure('bytes', figure));
  return { measured: `${((100 * bytes) / text).toFixed(0)} % (${ours} and ${all})`, holds: bytes < text / 2 };
}

const promises = [
  ...atLeastReading('`getSync`: 3 times as fast as with lmdb in its best mode', 'getsync', the(...LMDB), { factor: 3 }),
  ...atLeastReading('`await get`: 2.5 times as fast as with lmdb', 'get', the(...LMDB), { factor: 2.5 }),
  ...atLeastReading(
    '`await get` with the object cache: at most 1.2 times as long as of a `Map` in an async function',
    'get',
    the('map-file'),
    { subject: 'cairndb-cache', factor: 1 / 1.2 },
  ),
  atLeast('1,000 writes in flight: 5 times as fast as with lmdb', 'write-1000', the(...LMDB), { factor: 5 }),
  atLeast('… as with classic-level', 'write-1000', the('classic-level'), { factor: 5 }),
  atLeast('… as with RocksDB', 'write-1000', the('rocksdb'), { factor: 5 }),
  atLeast('… as fast as into a `Map` and a file of JSON, written once per turn', 'write-1000', the('map-file')),
  atLeast(
    'Writes one by one: 3 times as fast as with the best database that survives `kill -9`',
    'write-1',
    everyDatabase,
    { factor: 3 },
  ),
  atLeast('Durable writes one by one: 0.9 of what the disk alone does', 'durable-1', the('disk'), { factor: 0.9 }),
  atLeast(
    '1,000 durable writes in flight: 10 times as fast as single ones of better-sqlite3',
    'durable-1000',
    the('better-sqlite3'),
    { factor: 10 },
  ),
  atLeast('… 1.5 times as with lmdb in its best durable mode', 'durable-1000', the(...LMDB), { factor: 1.5 }),
  atLeast('… as fast as into a `Map` and a file with one `fdatasync` per turn', 'durable-1000', the('map-file')),
  atLeast('A scan, decoded: 2 times as fast as with lmdb in its best mode', 'scan', the(...LMDB), { factor: 2 }),
  ofItself(`Opening and the first read take less than ${MOST_OPEN_MS} ms`, 'open', opensSoon),
  ofItself('… and at most 2 times as long as with an empty database', 'open', opensLikeEmpty),
  atLeast(
    'The event loop stalls for less long than with any database, 1,000 writes in flight',
    'stall-os',
    everyDatabase,
  ),
  atLeast('After `compact()` there are fewer bytes on disk than with any database', 'size-compacted', everyDatabase),
  ofItself('… and less than half of the JSON text with keys', 'size-compacted', isHalfOfText),
];

const NOT_MEASURED = { measured: 'not measured: one of the stores is missing', verdict: '' };

function judged(results, one, judge) {
  const judgement = judge(results, one);
  if (judgement === undefined) return NOT_MEASURED;
  return { measured: judgement.measured, verdict: judgement.holds ? 'holds' : '**does not hold**' };
}

/** The promises about the workloads of a run, with what it measured of each. */
export const promised = (results) =>
  promises.flatMap(({ text, id, value, judge }) => {
    const one = results.cases.find((each) => each.workload.id === id && each.value === value && each.kind === 'object');
    return one === undefined ? [] : [{ text, ...judged(results, one, judge) }];
  });
