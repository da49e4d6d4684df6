// Fills a small disk by setting values, and makes room again: full-disk.mjs, in a namespace of its own.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Persistency } from 'cairndb/persistency';
import { mount } from '../disks/machine.mjs';

const folder = mount('tmpfs', 8);
const filler = join(folder, 'filler');
writeFileSync(filler, Buffer.alloc(4 << 20));
let store = new Persistency({ folder });
const content = (index) => Buffer.alloc(100_000, index);
let refused;
let written = 0;
for (let index = 0; index < 1000 && refused === undefined; index += 1) {
  try {
    store.set(`k${index % 10}`, content(index));
    written = index + 1;
  } catch (error) {
    refused = error;
  }
}
assert.equal(refused?.code, 'ERR_CAIRN_FULL', refused?.stack);
assert.ok(written > 10);

/** The newest value of each key whose call returned. */
function assertHolds() {
  assert.equal(store.count(), 10);
  for (let index = written - 10; index < written; index += 1) {
    assert.deepEqual(store.get(`k${index % 10}`), content(index));
  }
}

assertHolds();
rmSync(filler);
store.set('after', Buffer.from('room'));
store.delete('after');
assertHolds();
store.close();
store = new Persistency({ folder });
assertHolds();
store.close();
