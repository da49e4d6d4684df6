import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** What the scripts download or build in passing; ignored by git, safe to delete. */
export const cache = `${root}.cache/`;

/**
 * Runs a command in the repository and resolves to its exit code and its output (standard output, then both mixed).
 * With `show` the output is passed on while it appears; `show: 'stderr'` passes on the messages only.
 */
export function run(command, args, { cwd = root, env = process.env, shell = false, show = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      output += text;
      if (show === true) process.stdout.write(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
      if (show) process.stderr.write(text);
    });
    child.on('error', (error) => resolve({ code: 127, stdout, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 1, stdout, output: signal ? `${output}killed by ${signal}\n` : output }),
    );
  });
}

/** Like {@link run}, but a command that fails is an error. Resolves to the standard output. */
export async function mustRun(command, args, options) {
  const { code, stdout, output } = await run(command, args, options);
  if (code !== 0)
    throw new Error(
      `${command} ${args.join(' ')} failed (exit code ${code})${options?.show === true ? '' : `:\n${output}`}`,
    );
  return stdout;
}
