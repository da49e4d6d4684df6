/**
 * Taking over an `entries.db` and a `data.db`: the newest whole version of each key. Both files are only read.
 *
 * @module
 */
import { CairnError } from '../errors.ts';
import {
  beginTakeover,
  dueTakeover,
  fingerprintOfFile,
  finishTakeover,
  type RefusedFile,
  readTakeover,
} from '../takeover.ts';
import { isNewer } from './format.ts';
import { DATA_FILE, ENTRIES_FILE, type Originals } from './originals.ts';
import { scan } from './scan.ts';
import { type Store, TABLE, type Write } from './store.ts';

export const SYSTEM = 'persistency';
/** About how much is written at once. */
const BATCH_BYTES = 256 * 1024;
/** So many damaged records are described; of the others there is a count. */
const MOST_REFUSED = 1000;

/** Takes over what is there and has not been taken over, into a store that no other process has open. */
export function takeOver(home: string, store: Store, originals: Originals | undefined): void {
  const found = readTakeover(home, SYSTEM);
  const due = dueTakeover(found, store.tables());
  if (due === undefined) return;
  if (originals === undefined) {
    if (found !== undefined) throw originalsGone(home);
    return;
  }
  for (const table of due.drop) store.drop(table);
  beginTakeover(home, SYSTEM, [TABLE]);
  const { entries, data } = originals;
  // Before they are read: what changes later is then known to have changed.
  const prints = { entries: fingerprintOfFile(entries.path), data: fingerprintOfFile(data.path) };
  const { records, refused } = copy(originals, store);
  entries.checkUnchanged();
  data.checkUnchanged();
  finishTakeover(home, {
    system: SYSTEM,
    files: [
      { name: ENTRIES_FILE, ...prints.entries, records },
      { name: DATA_FILE, ...prints.data, records },
    ],
    refused,
  });
}

/** Writes the newest whole version of each key; it is on the disk when this returns. */
function copy(originals: Originals, store: Store): { records: number; refused: RefusedFile[] } {
  const versions = new Map<string, number>();
  const refused: RefusedFile[] = [];
  let untold = 0;
  let batch: Write[] = [];
  let bytes = 0;
  for (const finding of scan(originals)) {
    if (finding.state === 'damaged') {
      const why = `The record at byte ${finding.offset} was left out: ${finding.why}.`;
      if (refused.length < MOST_REFUSED) refused.push({ name: ENTRIES_FILE, why });
      else untold += 1;
    }
    if (finding.state !== 'good') continue;
    const { key, version, value } = finding;
    const known = versions.get(key);
    if (known !== undefined && !isNewer(version, known)) continue;
    versions.set(key, version);
    batch.push([key, value]);
    bytes += value.length;
    if (bytes < BATCH_BYTES) continue;
    store.write(batch);
    [batch, bytes] = [[], 0];
  }
  store.write(batch);
  if (untold > 0) refused.push({ name: ENTRIES_FILE, why: `${untold} further records were left out likewise.` });
  return { records: versions.size, refused };
}

function originalsGone(home: string): CairnError {
  const message =
    `The take-over into ${home} was interrupted, and ${ENTRIES_FILE} and ${DATA_FILE} are gone. ` +
    'Put them back to have it done anew, or remove that directory to begin with an empty store.';
  return new CairnError('ERR_CAIRN_DIRECTORY', message, { path: home });
}
