// `npm test`: source checks, builds, every test; the last line counts them. Paths after `--` run those tests only.
import { runSteps, SOURCE_CHECKS } from './check.ts'
import { addedUp, NOT_RUN, runTests } from './test-report.ts'

const LIMIT_MS = 30 * 60_000
const only = process.argv.slice(2)

const checked = only.length > 0 || (await runSteps(SOURCE_CHECKS))
const built = checked && (await runSteps([['builds', [process.execPath, 'scripts/build.ts', 'static', 'sidecar']]]))
const run = built ? await runTests(only.length > 0 ? only : ['tests'], LIMIT_MS) : undefined
process.stdout.write(`${run ? addedUp([run]) : NOT_RUN}\n`)
process.exit(run?.code ?? 1)
