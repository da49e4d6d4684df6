import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { onEnd, open, rejects, throws } from './helpers.mjs';

const native = createRequire(import.meta.url)('../native.cjs');
const [JSON_TEXT, TAGGED, TYPED] = [1, 2, 3];

/** Writes a value as a later version, or a faulty program, might: past the facade. */
async function writeRaw(t, directory, kind, content) {
  const options = { durability: 1, syncInterval: 1000, flushInterval: 100, reclaimDelay: 0, keepGenerations: 1 };
  const handle = await native.open(directory, { ...options, memtableBytes: 65_536, mmap: true }, () => {});
  onEnd(t, () => handle.close());
  const value = Buffer.from(content);
  const request = Buffer.concat([
    Buffer.from([0, 1, 0, 't'.charCodeAt(0), 1, 0, 'k'.charCodeAt(0), kind]),
    Buffer.from(Uint32Array.of(value.length).buffer),
    value,
  ]);
  assert.deepEqual(handle.commit(request, request.length, 1), Float64Array.of(1));
}

const CASES = [
  ['a tag that this version does not know', TAGGED, '[{"$complex":[1,2]}]', 'ERR_CAIRN_UNSUPPORTED', /"\$complex"/],
  ['an element type that this version does not know', TYPED, [14, 1, 2], 'ERR_CAIRN_UNSUPPORTED', /element type 14/],
  ['elements that are cut off', TYPED, [9, 1, 2, 3], 'ERR_CAIRN_UNSUPPORTED', /element type 9 with 3 bytes/],
  ['a typed array without a type', TYPED, [], 'ERR_CAIRN_UNSUPPORTED', /element type/],
  ['text that is not JSON', JSON_TEXT, '{"a":', 'ERR_CAIRN_CORRUPT', /not JSON/],
  ['tagged text that is not JSON', TAGGED, 'x', 'ERR_CAIRN_CORRUPT', /not JSON/],
  ['a tag with the wrong content', TAGGED, '{"$bigint":"seven"}', 'ERR_CAIRN_CORRUPT', /tag/],
  ['a Map that is no list', TAGGED, '{"$map":5}', 'ERR_CAIRN_CORRUPT', /tag/],
];

for (const [what, kind, content, code, pattern] of CASES) {
  test(`a stored value is refused, not guessed: ${what}`, async (t) => {
    const db = await open(t);
    await writeRaw(t, db.directory, kind, content);
    for (const method of ['get', 'getRecord']) await rejects(() => db[method]('t', 'k'), code, pattern);
    throws(() => db.getSync('t', 'k'), code, pattern);
    await rejects(() => db.getMany('t', ['k']), code, pattern);
    await rejects(() => db.get('t'), code, pattern);
    assert.equal(await db.has('t', 'k'), true);
    await db.write('t', 'k', 'replaced');
    assert.equal(await db.get('t', 'k'), 'replaced');
  });
}
