// `npm test`: source checks, builds, every test; the last line counts them.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runSteps, SOURCE_CHECKS } from './check.ts'

const folder = mkdtempSync(join(tmpdir(), 'sac-test-'))
const report = join(folder, 'junit.xml')
const only = process.argv.slice(2)

const ready = await runSteps([...SOURCE_CHECKS, ['builds', [process.execPath, 'scripts/build.ts', 'static', 'sidecar']]])
let code = 1
if (ready) {
  const child = Bun.spawn([process.execPath, 'test', '--timeout', '60000', '--reporter=junit', `--reporter-outfile=${report}`, ...(only.length > 0 ? only : ['tests'])], {
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
  })
  code = await child.exited
}
process.stdout.write(`${summary()}\n`)
rmSync(folder, { recursive: true, force: true })
process.exit(code)

function summary(): string {
  try {
    const counts = /<testsuites [^>]*tests="(\d+)"[^>]*failures="(\d+)"[^>]*skipped="(\d+)"/.exec(readFileSync(report, 'utf8'))
    const [tests = 0, failures = 0, skipped = 0] = (counts ?? []).slice(1).map(Number)
    // A file that does not load is an error without a failed test.
    const failed = failures || (code === 0 ? 0 : 1)
    return `${tests - failures - skipped} passed, ${failed} failed, ${skipped} skipped`
  } catch {
    return '0 passed, 1 failed, 0 skipped'
  }
}
