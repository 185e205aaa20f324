// Reads the totals that test runners print about themselves. Owns the formats of `cargo test` and node:test.
// Never decides whether a run was good: the runner's exit code does.

/** @typedef {{ passed: number, failed: number, skipped: number }} Totals */

// One line per test binary, and one for doctests.
const CARGO = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm

// `ℹ pass 12` from the spec reporter, `# pass 12` from the TAP one; a line per word.
const NODE = /^(?:ℹ|#) (pass|fail|cancelled|skipped|todo) (\d+)$/gm

/**
 * @param {string} output everything the runner printed
 * @returns {Totals}
 */
export function cargoTotals(output) {
  const totals = { passed: 0, failed: 0, skipped: 0 }
  for (const [, passed, failed, ignored] of output.matchAll(CARGO)) {
    totals.passed += Number(passed)
    totals.failed += Number(failed)
    totals.skipped += Number(ignored)
  }
  return totals
}

/**
 * A test that was cancelled did not pass, and one that is still to do was not run.
 * @param {string} output everything the runner printed
 * @returns {Totals}
 */
export function nodeTotals(output) {
  const totals = { passed: 0, failed: 0, skipped: 0 }
  for (const [, word, count] of output.matchAll(NODE)) {
    if (word === 'pass') totals.passed += Number(count)
    else if (word === 'fail' || word === 'cancelled') totals.failed += Number(count)
    else totals.skipped += Number(count)
  }
  return totals
}

/**
 * @param {Totals} a
 * @param {Totals} b
 * @returns {Totals}
 */
export function sum(a, b) {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }
}
