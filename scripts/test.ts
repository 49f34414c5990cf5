// `npm test`: source checks, builds, every test; the last line counts them. Paths after `--` run those tests only.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runSteps, SOURCE_CHECKS } from './check.ts'

const LIMIT_MS = 30 * 60_000
const folder = mkdtempSync(join(tmpdir(), 'sac-report-'))
const report = join(folder, 'junit.xml')
const only = process.argv.slice(2)

const checked = only.length > 0 || (await runSteps(SOURCE_CHECKS))
const built = checked && (await runSteps([['builds', [process.execPath, 'scripts/build.ts', 'static', 'sidecar']]]))
const code = built ? await runTests() : 1
const summary = counted(code)
rmSync(folder, { recursive: true, force: true })
process.stdout.write(`${summary}\n`)
process.exit(code)

async function runTests(): Promise<number> {
  const command = [process.execPath, 'test', '--timeout', '60000', '--reporter=junit', `--reporter-outfile=${report}`, ...(only.length > 0 ? only : ['tests'])]
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit', timeout: LIMIT_MS, killSignal: 'SIGKILL' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  return (await child.exited) || 0
}

function counted(code: number): string {
  const text = existsSync(report) ? readFileSync(report, 'utf8') : ''
  const counts = /<testsuites [^>]*tests="(\d+)"[^>]*failures="(\d+)"[^>]*skipped="(\d+)"/.exec(text)
  const [tests = 0, failures = 0, skipped = 0] = (counts ?? []).slice(1).map(Number)
  // A check, a build or a file that does not load is a failure without a failed test.
  const failed = failures || (code === 0 ? 0 : 1)
  return `${tests - failures - skipped} passed, ${failed} failed, ${skipped} skipped`
}
