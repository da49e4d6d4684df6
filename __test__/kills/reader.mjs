// Opens a directory, says when it begins to, reads, and stays. Somebody kills it, most likely while it recovers.
import { writeSync } from 'node:fs';
import process from 'node:process';
import { CairnDB } from 'cairndb';

writeSync(1, 'b opening\n');
const db = await CairnDB.open(process.argv[2], { memtableBytes: 65_536, reclaimDelay: 0 });
for (const table of db.listTables()) await db.get(table);
process.stdin.resume();
