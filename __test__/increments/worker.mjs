// Increments shared counters by compare-and-set until it has done so many:
//   node worker.mjs <directory> <id> <increments> <counters> <reported>
// What it has done stands beside the counters and moves with them in one batch, so a successor goes on where it died.
// Every `reported` increments are a line.
import { CairnDB } from 'cairndb';

const [directory, id, increments, counters, reported] = process.argv.slice(2);
const db = await CairnDB.open(directory, { access: 'shared', memtableBytes: 65_536, reclaimDelay: 0 });

/** Whether nobody else was faster. */
async function increment(counter, done) {
  const found = await db.getRecord('counters', counter);
  const { value, version } = found ?? { value: 0, version: 0 };
  try {
    return await db.batch([
      { type: 'put', table: 'counters', key: counter, value: value + 1, ifVersion: version },
      { type: 'put', table: 'done', key: id, value: done + 1 },
    ]);
  } catch (error) {
    if (error.code !== 'ERR_CAIRN_CONFLICT') throw error;
    return false;
  }
}

let done = db.getSync('done', id) ?? 0;
console.log(`from ${done}`);
while (done < Number(increments)) {
  if (await increment(`c${Math.floor(Math.random() * Number(counters))}`, done)) {
    done += 1;
    if (done % reported === 0) console.log(done);
  }
}
await db.close();
