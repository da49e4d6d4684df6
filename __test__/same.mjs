import assert from 'node:assert/strict';

/**
 * Asserts that two values are the same in all that CairnDB promises to keep: types, bits of numbers, own keys and the
 * order of keys, entries and items. Stricter than `assert.deepEqual` in the order, and the same in every runtime.
 */
export function assertSame(actual, expected, path = 'value') {
  if (typeof expected !== 'object' || expected === null) {
    assert.ok(Object.is(actual, expected), `${path} is ${String(actual)}, not ${String(expected)}`);
    return;
  }
  assert.equal(typeof actual, 'object', path);
  assert.equal(Object.getPrototypeOf(actual), Object.getPrototypeOf(expected), `${path} has another prototype`);
  if (expected instanceof Date) return assertSame(actual.getTime(), expected.getTime(), `${path}.getTime()`);
  if (expected instanceof ArrayBuffer || ArrayBuffer.isView(expected)) {
    return assert.equal(hex(actual), hex(expected), `${path} has other bytes`);
  }
  if (expected instanceof Map || expected instanceof Set) return assertSame([...actual], [...expected], path);
  assert.deepEqual(Object.keys(actual), Object.keys(expected), `${path} has other keys`);
  for (const key of Object.keys(expected)) assertSame(actual[key], expected[key], `${path}[${JSON.stringify(key)}]`);
}

function hex(binary) {
  const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(binary) ? binary : new Uint8Array(binary);
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex');
}
