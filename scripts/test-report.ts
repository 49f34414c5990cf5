// Runs Bun's tests with a report, and says the counts in one line: N passed, N failed, N skipped.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** From the request to end to the end by force. */
const GRACE_MS = 5000

/** How a run ended. */
export interface TestRun {
  code: number
  passed: number
  failed: number
  skipped: number
}

/** Runs the tests at these paths and ends them after `limitMs`: by request, then by force. Signals are handed on. */
export async function runTests(paths: string[], limitMs: number): Promise<TestRun> {
  const folder = mkdtempSync(join(tmpdir(), 'sac-report-'))
  const report = join(folder, 'junit.xml')
  try {
    const command = [process.execPath, 'test', '--timeout', '60000', '--reporter=junit', `--reporter-outfile=${report}`, ...paths]
    const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' })
    const ends = [setTimeout(() => child.kill('SIGTERM'), limitMs), setTimeout(() => child.kill('SIGKILL'), limitMs + GRACE_MS)]
    const handOn = (signal: NodeJS.Signals) => child.kill(signal)
    for (const signal of SIGNALS) process.on(signal, handOn)
    const code = (await child.exited) || 0
    for (const end of ends) clearTimeout(end)
    for (const signal of SIGNALS) process.off(signal, handOn)
    return counted(existsSync(report) ? readFileSync(report, 'utf8') : '', code)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The closing line of these runs together. */
export function addedUp(runs: TestRun[]): string {
  const total = (name: 'passed' | 'failed' | 'skipped') => runs.reduce((sum, run) => sum + run[name], 0)
  return `${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped`
}

/** The closing line of a run that did not even begin. */
export const NOT_RUN = addedUp([counted('', 1)])

function counted(report: string, code: number): TestRun {
  const counts = /<testsuites [^>]*tests="(\d+)"[^>]*failures="(\d+)"[^>]*skipped="(\d+)"/.exec(report)
  const [tests = 0, failures = 0, skipped = 0] = (counts ?? []).slice(1).map(Number)
  // A check, a build or a file that does not load is a failure without a failed test.
  return { code, passed: tests - failures - skipped, failed: failures || (code === 0 ? 0 : 1), skipped }
}
