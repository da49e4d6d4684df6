/*
 * Decides what a step of `npm test` counts for. A test that vanishes must not pass: each suite has a least number of
 * tests in scripts/expected-tests.json, and one that is not in there is a failure too, so that the list stays whole.
 * A test that cannot run on this machine counts as one that is there, and is said in the summary with the reason.
 */

/**
 * @param {{ code: number, suites?: { name: string, passed: number, failed: number, skipped: number,
 *   unavailable?: string[] }[] }} result
 *   exit code, and the suites that ran; a check without suites counts as one test
 * @param {Record<string, number>} [expected] least number of passed and failed tests by suite
 * @returns {{ passed: number, failed: number, problems: string[], unavailable?: string[] }}
 */
export function judge({ code, suites }, expected = {}) {
  if (suites === undefined) return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, problems: [] };
  const passed = suites.reduce((sum, suite) => sum + suite.passed, 0);
  const failed = suites.reduce((sum, suite) => sum + suite.failed, 0);
  const problems = [...suites.flatMap((suite) => suiteProblems(suite, expected)), ...missing(suites, expected)];
  if (passed + failed === 0) problems.push('no test ran');
  if (code !== 0 && failed === 0) problems.push(`exit code ${code}, though no test failed`);
  const unavailable = suites.flatMap((suite) => (suite.unavailable ?? []).map((test) => `${suite.name}: ${test}`));
  return { passed, failed: failed + problems.length, problems, ...(unavailable.length > 0 && { unavailable }) };
}

function suiteProblems({ name, passed, failed, skipped, unavailable = [] }, expected) {
  const problems = [];
  if (skipped > 0) problems.push(`${name}: ${skipped} skipped`);
  if (name in expected) {
    const there = passed + failed + unavailable.length;
    if (there < expected[name])
      problems.push(`${name}: ${there} tests are there, at least ${expected[name]} are expected`);
  } else if (passed > 0) {
    problems.push(`${name}: not in scripts/expected-tests.json (npm test -- --record writes it)`);
  }
  return problems;
}

function missing(suites, expected) {
  const ran = new Set(suites.map(({ name }) => name));
  return Object.keys(expected)
    .filter((name) => !ran.has(name))
    .map((name) => `${name}: did not run`);
}

/** What to expect from now on, given what ran. */
export function record(suites) {
  const counts = suites.map(({ name, passed, failed, unavailable = [] }) => [
    name,
    passed + failed + unavailable.length,
  ]);
  return Object.fromEntries(counts.filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1)));
}
