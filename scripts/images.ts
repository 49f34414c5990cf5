// `docker:build` and `docker:push`: the three images under the version of package.json.
// Flags: --bump patch|minor|major   --registry registry.example.com/tools   --platform linux/amd64,linux/arm64
// BUN_BASE and AGENT_BASE in the environment name other base images, for example by digest.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const ROOT = join(import.meta.dir, '..')
const TARGETS = ['server', 'sidecar', 'agent']
const USAGE = 'Usage: images.ts build|push [--bump patch|minor|major] [--registry HOST/PATH] [--platform linux/amd64,linux/arm64]'
const BASES = ['BUN_BASE', 'AGENT_BASE']
const LEVELS = ['major', 'minor', 'patch']

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { bump: { type: 'string' }, registry: { type: 'string' }, platform: { type: 'string' } },
})
const [action = ''] = positionals
if (!['build', 'push'].includes(action) || positionals.length > 1 || (values.bump !== undefined && !LEVELS.includes(values.bump))) fail(USAGE)
if (values.bump !== undefined) setVersion(bumped(version(), values.bump))
for (const target of TARGETS) await docker(wordsFor(target))

function version(): string {
  return (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version
}

function bumped(from: string, level: string): string {
  const at = LEVELS.indexOf(level)
  return from
    .split('.')
    .map((part, index) => (index < at ? part : index === at ? String(Number(part) + 1) : '0'))
    .join('.')
}

/** Writes the version into package.json and the chart, which go together. */
function setVersion(to: string): void {
  const replace = (file: string, pattern: RegExp, text: string) => {
    const path = join(ROOT, file)
    writeFileSync(path, readFileSync(path, 'utf8').replace(pattern, text))
  }
  replace('package.json', /"version": "[^"]+"/, `"version": "${to}"`)
  replace('chart/Chart.yaml', /^version: .*$/m, `version: ${to}`)
  replace('chart/Chart.yaml', /^appVersion: .*$/m, `appVersion: "${to}"`)
  process.stdout.write(`The version is ${to}.\n`)
}

function wordsFor(target: string): string[] {
  const name = `${values.registry ? `${values.registry.replace(/\/+$/, '')}/` : ''}sac/${target}:${version()}`
  if (action === 'push' && !values.platform) return ['push', name]
  // An image for several machines cannot be kept by the local store: it is built and pushed in one step.
  const several = values.platform ? ['buildx', 'build', '--platform', values.platform, ...(action === 'push' ? ['--push'] : [])] : ['build']
  const bases = BASES.flatMap((base) => (process.env[base] ? ['--build-arg', `${base}=${process.env[base]}`] : []))
  return [...several, ...bases, '--target', target, '-t', name, '.']
}

async function docker(words: string[]): Promise<void> {
  const program = process.env.DOCKER_BIN ?? 'docker'
  if (!Bun.which(program)) fail(`${program} is missing. Install Docker, or name another program that takes the same words in DOCKER_BIN.`)
  process.stdout.write(`${program} ${words.join(' ')}\n`)
  const code = await Bun.spawn([program, ...words], { cwd: ROOT, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' }).exited
  if (code !== 0) process.exit(code)
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}
