// Writes at a level that nothing brings to the disk by itself in time, says how many were acknowledged, and is gone.
import { writeSync } from 'node:fs';
import process from 'node:process';
import { CairnDB } from 'cairndb';

const [directory, level] = process.argv.slice(2);
const db = await CairnDB.open(directory, { durability: level, syncInterval: 3_600_000 });
for (let index = 0; index < 200; index += 1) await db.write(level, `k${String(index).padStart(3, '0')}`, index);
writeSync(1, '200\n');
process.kill(process.pid, 'SIGKILL');
