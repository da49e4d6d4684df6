// What some stores need and not every checkout has: packages and a newer Node.js, installed on first use.

import { pathToFileURL } from 'node:url';
import { installRuntime, runtimes } from '../scripts/lib/runtimes.mjs';

const isAtLeast = (version, oldest) => version.localeCompare(oldest, 'en', { numeric: true }) >= 0;

/** The address of the module of a package, installed on first use. */
async function moduleOf(install) {
  if (install === undefined) return {};
  return { module: pathToFileURL(await installRuntime(install)).href };
}

/** The oldest Node.js of those that CairnDB is tested on that will do: the nearest to the one of the other stores. */
async function nodeFor(oldest) {
  if (oldest === undefined || isAtLeast(process.versions.node, oldest)) return {};
  const runtime = runtimes.find(({ name, version }) => name === 'Node.js' && isAtLeast(version, oldest));
  return { execPath: await installRuntime(runtime), note: `measured with Node.js ${runtime.version}` };
}

/**
 * Resolves to how the child processes of a store are run, or to why they cannot be.
 *
 * @param {import('./stores/catalog.mjs').Entry} store
 * @returns {Promise<{ execPath?: string, module?: string, note?: string, unavailable?: string }>}
 */
export async function prepare({ install, node }) {
  try {
    return { ...(await nodeFor(node)), ...(await moduleOf(install)) };
  } catch (error) {
    return { unavailable: error.message.split('\n')[0] };
  }
}
