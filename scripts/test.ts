// `npm test`: source checks, builds, every test; the last line counts them. Paths after `--` run those tests only.
import { runSteps, SOURCE_CHECKS } from './check.ts'
import { NOT_RUN, runTests } from './test-report.ts'

const LIMIT_MS = 30 * 60_000
const only = process.argv.slice(2)

const checked = only.length > 0 || (await runSteps(SOURCE_CHECKS))
const built = checked && (await runSteps([['builds', [process.execPath, 'scripts/build.ts', 'static', 'sidecar']]]))
const { code, summary } = built ? await runTests(only.length > 0 ? only : ['tests'], LIMIT_MS) : { code: 1, summary: NOT_RUN }
process.stdout.write(`${summary}\n`)
process.exit(code)
