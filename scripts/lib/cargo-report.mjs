/*
 * Reads what `cargo test` prints: one suite for each test binary and for each crate's doc tests.
 * A binary that starts and gives no result has crashed, and counts as one failed test.
 */

const started = /^\s+Running (?:unittests )?(\S+) \((?:.*[\\/])?(.+)-[0-9a-f]+(?:\.exe)?\)$/;
const docTests = /^\s+Doc-tests (\S+)$/;
const result = /^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored;/;

function suiteStarted(line) {
  const run = started.exec(line);
  if (run) return `${run[2]} ${run[1].replaceAll('\\', '/')}`;
  const doc = docTests.exec(line);
  return doc && `${doc[1]} doc tests`;
}

export function cargoSuites(output) {
  const suites = [];
  for (const line of output.split(/\r?\n/)) {
    const name = suiteStarted(line);
    if (name) suites.push({ name, results: [] });
    const counts = result.exec(line)?.slice(1).map(Number);
    // Doc tests can come in several runs, each with its result.
    if (counts) suites.at(-1)?.results.push(counts);
  }
  return suites.map(({ name, results }) => {
    const sum = (index) => results.reduce((total, counts) => total + counts[index], 0);
    return { name, passed: sum(0), failed: results.length === 0 ? 1 : sum(1), skipped: sum(2) };
  });
}
