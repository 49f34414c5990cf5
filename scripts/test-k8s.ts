// `npm run test:k8s`: the suites that need a real cluster (tests/k8s/*.k8s.ts). Names after `--` run those only.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { runSteps } from './check.ts'
import { NOT_RUN, runTests, type TestRun } from './test-report.ts'

const LIMIT_MS = 35 * 60_000
const FOLDER = join(import.meta.dir, '..', 'tests', 'k8s')
const IMAGES = { SERVER_IMAGE: 'server', SIDECAR_IMAGE: 'sidecar', AGENT_IMAGE: 'agent' }

const problems = missing()
if (problems.length > 0) {
  process.stderr.write(`\nThese tests run on a real Kubernetes cluster, and cannot begin:\n\n${problems.map((line) => `  ${line}`).join('\n')}\n\n`)
  process.stdout.write(`${NOT_RUN}\n`)
  process.exit(1)
}
const wanted = process.argv.slice(2)
const suites = readdirSync(FOLDER).filter((name) => name.endsWith('.k8s.ts') && (wanted.length === 0 || wanted.some((word) => name.includes(word))))
const built = suites.length > 0 && (await runSteps([['builds', [process.execPath, 'scripts/build.ts', 'static']]]))
// Each suite is a process of its own: what it made in the cluster is gone before the next one needs the room.
const runs: TestRun[] = []
if (built) for (const name of suites) runs.push(await runTests([`./tests/k8s/${name}`], Math.max(1000, Math.round(LIMIT_MS - performance.now()))))
const total = (word: string) => runs.reduce((sum, { summary }) => sum + Number(new RegExp(`(\\d+) ${word}`).exec(summary)?.[1] ?? 0), 0)
const code = built ? (runs.find((run) => run.code !== 0)?.code ?? 0) : 1
process.stdout.write(`${built ? `${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped` : NOT_RUN}\n`)
process.exit(code)

function missing(): string[] {
  const kubeconfig = process.env.KUBECONFIG
  const cluster = !kubeconfig
    ? ['KUBECONFIG is not set. Set it to the file of a cluster on which you may make namespaces; a local one comes from `kind create cluster`.']
    : existsSync(kubeconfig)
      ? []
      : [`KUBECONFIG is ${kubeconfig}, which is not there.`]
  const images = Object.entries(IMAGES).flatMap(([name, target]) =>
    process.env[name]
      ? []
      : [
          `${name} is not set. Build the image with \`docker build --target ${target} -t sac/${target}:dev .\`, make it known to the cluster (push it, or \`kind load docker-image\`), and set ${name} to its name.`,
        ],
  )
  return [...cluster, ...images]
}
