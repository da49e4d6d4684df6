// Values that JSON would change come back as what they were.

import { deepEqual, equal } from 'node:assert/strict';
import { CairnDB } from 'cairndb';

const db = await CairnDB.open('./data');

const report = {
  created: new Date('2026-01-02T03:04:05.678Z'),
  total: 12_345_678_901_234_567_890n,
  byCountry: new Map([
    ['de', 3],
    ['fr', undefined],
  ]),
  tags: new Set(['new', 'checked']),
  measured: [1.5, Number.NaN, Number.NEGATIVE_INFINITY, -0],
};
await db.write('reports', 'r1', report);
deepEqual(await db.get('reports', 'r1'), report);

// Bytes are stored as bytes, without any encoding.
await db.write('files', 'logo.png', Buffer.from([0x89, 0x50, 0x4e, 0x47]));
const file = await db.get('files', 'logo.png');
equal(Buffer.isBuffer(file), true);
console.log(file.toString('hex'));
//> 89504e47

await db.write('vectors', 'v1', new Float32Array([0.5, -1.25, 3]));
const vector = await db.get('vectors', 'v1');
equal(vector instanceof Float32Array, true);
console.log(vector.join(' '));
//> 0.5 -1.25 3

await db.close();
