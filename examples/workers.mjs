// Worker threads that share one database: one engine for all of them, and each sees what the others wrote.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { CairnDB } from 'cairndb';

const WORKERS = 3;
const NUMBERS = 1000;

async function main() {
  const db = await CairnDB.open('./data');
  const workers = Array.from(
    { length: WORKERS },
    (_, index) => new Worker(new URL(import.meta.url), { workerData: index }),
  );
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));

  console.log(await db.getTableSize('squares'));
  //> 3000
  console.log(await db.get('squares', '2/999'));
  //> 998001
  await db.close();
}

async function work(index) {
  const db = await CairnDB.open('./data');
  const squares = Array.from({ length: NUMBERS }, (_, n) => db.write('squares', `${index}/${n}`, n * n));
  await Promise.all(squares);
  await db.close();
  parentPort.postMessage('done');
}

await (isMainThread ? main() : work(workerData));
