/**
 * Packages that read other stores, from where the user has installed them.
 *
 * @module
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { InputError } from '../record.ts';

/** The first of these packages that is installed for the working directory, or beside CairnDB. */
export async function installed(names: readonly string[], what: string): Promise<{ name: string; module: object }> {
  const places = [createRequire(join(process.cwd(), 'import.cjs')), createRequire(import.meta.url)];
  for (const name of names) {
    for (const require of places) {
      const path = resolved(require, name);
      if (path !== undefined) return { name, module: require(path) as object };
    }
  }
  const [first] = names;
  throw new InputError(`${what} is read with ${names.join(' or ')}, which is not installed; npm install ${first}`);
}

function resolved(require: NodeJS.Require, name: string): string | undefined {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}
