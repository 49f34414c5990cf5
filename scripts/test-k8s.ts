// `npm run test:k8s`: the suites that need a real cluster (tests/k8s/*.k8s.ts). Names after `--` run those only. Suites that need more than
// the cluster and our images are left out with a word where that is not given; with `-- --all`, or by name, they are a failure.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALWAYS, CHOICES, lacking, needs, wayTo } from '../tests/k8s/given.ts'
import { clearNode } from '../tests/k8s/node.ts'
import { runSteps } from './check.ts'
import { addedUp, NOT_RUN, runTests, type TestRun } from './test-report.ts'

const SECOND_MS = 1000
/** For all suites; what a CI has left. */
const LIMIT_MS = Number(process.env.TESTS_LIMIT_S ?? 35 * 60) * SECOND_MS
/** A suite that hangs leaves the others their time. */
const SUITE_LIMIT_MS = 10 * 60 * SECOND_MS
const ANSWER_MS = 15 * SECOND_MS
const FOLDER = join(import.meta.dir, '..', 'tests', 'k8s')

const words = process.argv.slice(2)
const wanted = words.filter((word) => word !== '--all')
const suites = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.k8s.ts') && (wanted.length === 0 || wanted.some((word) => name.includes(word))))
  .sort()
const leftOut = new Map(suites.map((name) => [name, lacking(readFileSync(join(FOLDER, name), 'utf8'))] as const).filter(([, names]) => names.length > 0))
const reasons = [...Map.groupBy(leftOut, ([, names]) => needs(names))].map(([what, of]) => `${of.map(([name]) => name).join(', ')}: ${what}`)
const isAllWanted = words.length > 0
const problems = [...missing(), ...(suites.length > 0 ? [] : [`No suite has a name with ${wanted.join(' or ')}.`]), ...(isAllWanted ? reasons : [])]
if (problems.length > 0) {
  process.stderr.write(`\nThese tests run on a real Kubernetes cluster, and cannot begin:\n\n${problems.map((line) => `  ${line}`).join('\n')}\n\n`)
  process.stdout.write(`${NOT_RUN}\n`)
  process.exit(1)
}

for (const line of [...(isAllWanted ? [] : reasons.map((reason) => `Left out: ${reason}`)), ...CHOICES.filter(({ name }) => !process.env[name]).map(({ words }) => words)])
  process.stdout.write(`${line}\n`)

let isEnding = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    isEnding = true
  })
if (!(await runSteps([['builds', [process.execPath, 'scripts/build.ts', 'static']]]))) {
  process.stdout.write(`${NOT_RUN}\n`)
  process.exit(1)
}
// Each suite is a process of its own: what it made in the cluster is gone before the next one needs the room.
const runs: TestRun[] = []
for (const name of suites) {
  if (leftOut.has(name)) {
    runs.push({ code: 0, passed: 0, failed: 0, skipped: 1 })
    continue
  }
  const leftMs = LIMIT_MS - performance.now()
  if (isEnding || leftMs <= 0) {
    process.stdout.write(`${name} was not run: ${isEnding ? 'the run was ended' : 'there was no time left'}.\n`)
    runs.push({ code: 1, passed: 0, failed: 1, skipped: 0 })
    continue
  }
  const began = performance.now()
  runs.push(await runTests([`./tests/k8s/${name}`], Math.min(leftMs, SUITE_LIMIT_MS)))
  // Whatever became of the suite, the node is as it was.
  if (process.env.NODE_COMMAND) await clearNode()
  process.stdout.write(`${name} took ${Math.round((performance.now() - began) / SECOND_MS)} s; all so far:\n${addedUp(runs)}\n`)
}
for (const reason of reasons) process.stdout.write(`Left out: ${reason}\n`)
process.stdout.write(`${addedUp(runs)}\n`)
process.exit(runs.find(({ code }) => code !== 0)?.code ?? 0)

function missing(): string[] {
  const unset = ALWAYS.filter((name) => !process.env[name]).map(wayTo)
  const kubeconfig = process.env.KUBECONFIG
  if (!kubeconfig) return unset
  if (!existsSync(kubeconfig)) return [...unset, `KUBECONFIG is ${kubeconfig}, which is not there.`]
  const programs = ['kubectl', 'helm'].filter((name) => !Bun.which(process.env[`${name.toUpperCase()}_BIN`] ?? name))
  if (programs.length > 0) return [...unset, ...programs.map((name) => `${name} is not installed; the suites use it. ${name.toUpperCase()}_BIN may name it.`)]
  const asked = Bun.spawnSync([process.env.KUBECTL_BIN ?? 'kubectl', 'get', '--raw', '/readyz', '--request-timeout=10s'], { timeout: ANSWER_MS })
  return asked.exitCode === 0
    ? unset
    : [...unset, `The cluster of ${kubeconfig} does not answer: ${asked.stderr.toString().trim().split('\n').at(-1)} Start it, or name another one in KUBECONFIG.`]
}
