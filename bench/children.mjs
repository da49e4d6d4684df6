// Measuring processes, and the folders that they work in.

import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** In the repository and ignored by git: the system's temporary folder is often in memory, where a sync costs nothing. */
const PARENT = fileURLToPath(new URL('../.cache/', import.meta.url));

/** Makes a folder, and removes it with all that is in it when this process ends. */
export function newFolder() {
  mkdirSync(PARENT, { recursive: true });
  const folder = mkdtempSync(join(PARENT, 'bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// With a handler a signal ends the process by way of its 'exit' event.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** Runs a module of this folder in a process of its own, and resolves to the message that it sends. */
export function runChild(module, args, { execArgv = [], execPath = process.execPath } = {}) {
  return new Promise((resolve, reject) => {
    const file = fileURLToPath(new URL(module, import.meta.url));
    const child = fork(file, args.map(String), { execArgv, execPath, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let message;
    let errors = '';
    child.on('message', (received) => {
      message = received;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0 && message !== undefined) return resolve(message);
      const error = new Error(`${module} ${args.join(' ')} ended with ${code ?? signal}\n${errors}`);
      reject(Object.assign(error, { signal }));
    });
  });
}
