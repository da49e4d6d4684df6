// Opens a database and sends how much memory this process then has, in bytes:
//   node --expose-gc bench/claims/memory.mjs <directory>

import { CairnDB } from 'cairndb';

const db = await CairnDB.open(process.argv[2]);
globalThis.gc();
const rss = process.memoryUsage.rss();
const size = db.listTables().length === 0 ? 0 : await db.getTableSize('records');
await db.close();
process.send({ rss, size });
