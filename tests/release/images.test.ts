// What goes to others: programs for either kind of machine, images under the version's name, and the quick start; with recorders in
// place of Docker, kind and Helm.
import { afterAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

setDefaultTimeout(60_000)
const ROOT = join(import.meta.dir, '..', '..')
const AARCH64 = 0xb7
const X86_64 = 0x3e

const folder = mkdtempSync(join(tmpdir(), 'sac-release-'))
const project = join(folder, 'project')
const programs = join(folder, 'programs')
const record = join(folder, 'record')
for (const name of ['scripts', 'chart']) cpSync(join(ROOT, name), join(project, name), { recursive: true })
cpSync(join(ROOT, 'package.json'), join(project, 'package.json'))
mkdirSync(programs)
for (const [name, also] of Object.entries({ docker: '[ "$1" != exec ] || printf cGFzc3dvcmQ=', kind: 'cat > /dev/null', helm: ':' })) {
  writeFileSync(join(programs, name), `#!/bin/sh\nprintf '%s\\n' "${name} $*" >> ${record}\n${also}\n`)
  chmodSync(join(programs, name), 0o755)
}
beforeEach(() => writeFileSync(record, ''))
afterAll(() => {
  for (const arch of ['amd64', 'arm64']) rmSync(join(ROOT, 'dist', `linux-${arch}`), { recursive: true, force: true })
  rmSync(folder, { recursive: true, force: true })
})

const recorded = () => readFileSync(record, 'utf8').trim().split('\n').filter(Boolean)
async function run(command: string[], env: Record<string, string> = {}, cwd = project) {
  const child = Bun.spawn(command, { cwd, env: { ...process.env, PATH: `${programs}:${process.env.PATH}`, ...env }, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return { out, err, code }
}
const images = (words: string[], env?: Record<string, string>) => run([process.execPath, 'scripts/images.ts', ...words], env)
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }

test('the sidecar is compiled for either kind of machine on this one', async () => {
  for (const [arch, machine] of [
    ['arm64', AARCH64],
    ['amd64', X86_64],
  ] as const) {
    const { code, err } = await run([process.execPath, 'scripts/build.ts', '--arch', arch, 'sidecar'], {}, ROOT)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const head = Buffer.from(
      await Bun.file(join(ROOT, 'dist', `linux-${arch}`, 'sidecar'))
        .slice(0, 20)
        .arrayBuffer(),
    )
    expect({ magic: head.toString('latin1', 1, 4), machine: head.readUInt16LE(18) }).toEqual({ magic: 'ELF', machine })
  }
  expect(await run([process.execPath, 'scripts/build.ts', '--arch', 'mips', 'sidecar'], {}, ROOT)).toMatchObject({ code: 2, err: expect.stringContaining('Use amd64 or arm64') })
})

test('docker:build makes the three images under the version of package.json; for several machines in one step', async () => {
  expect((await images(['build', '--registry', 'registry.example.com/tools/'])).code).toBe(0)
  expect(recorded()).toEqual(['server', 'sidecar', 'agent'].map((target) => `docker build --target ${target} -t registry.example.com/tools/sac/${target}:${version} .`))
  writeFileSync(record, '')
  await images(['push', '--platform', 'linux/amd64,linux/arm64'], { AGENT_BASE: 'debian:forky-slim@sha256:abc' })
  expect(recorded()[0]).toBe(
    `docker buildx build --platform linux/amd64,linux/arm64 --push --build-arg AGENT_BASE=debian:forky-slim@sha256:abc --target server -t sac/server:${version} .`,
  )
  expect(recorded()).toHaveLength(3)
})

test('docker:push pushes what was built; without a program for it, or with other words, it says what to do', async () => {
  await images(['push'])
  expect(recorded()).toEqual(['server', 'sidecar', 'agent'].map((target) => `docker push sac/${target}:${version}`))
  expect(await images(['build'], { DOCKER_BIN: 'no-such-program' })).toMatchObject({ code: 2, err: expect.stringContaining('Install Docker') })
  for (const words of [[], ['sell'], ['build', '--bump', 'huge'], ['build', 'push']]) expect(await images(words)).toMatchObject({ code: 2, err: expect.stringContaining('Usage') })
})

test('a new version goes into package.json and the chart, and onto the images', async () => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  expect((await images(['build', '--bump', 'minor'])).code).toBe(0)
  const next = `${major}.${minor + 1}.0`
  expect(recorded()[0]).toBe(`docker build --target server -t sac/server:${next} .`)
  expect(JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')).version).toBe(next)
  expect(Bun.YAML.parse(readFileSync(join(project, 'chart/Chart.yaml'), 'utf8'))).toMatchObject({ version: next, appVersion: next })
})

test('the quick start makes a cluster, images and the release, and tells the first sign-in; `down` takes the cluster away', async () => {
  cpSync(join(ROOT, 'chart/Chart.yaml'), join(project, 'chart/Chart.yaml'))
  const started = await run(['bash', 'scripts/quickstart'], { SAC_PORT: '9090' })
  expect({ code: started.code, err: started.err }).toEqual({ code: 0, err: '' })
  expect(started.out).toContain('SAC is ready at http://localhost:9090')
  expect(started.out).toMatch(/user name {2}admin\n {2}password {3}password\n/)
  const names = ['server', 'sidecar', 'agent'].map((target) => `sac/${target}:${version}`)
  expect(recorded()).toEqual([
    'docker info',
    'kind get clusters',
    'kind create cluster --name sac --wait 120s --config -',
    ...['server', 'sidecar', 'agent'].map((target) => `docker build --target ${target} -t sac/${target}:${version} .`),
    `kind load docker-image --name sac ${names.join(' ')}`,
    expect.stringMatching(/^helm upgrade --install sac chart -n sac --create-namespace --wait .*publicUrl=http:\/\/localhost:9090 .*nodePort=30080$/),
    expect.stringMatching(/^docker exec sac-control-plane kubectl .* get secret -n sac sac /),
  ])
  writeFileSync(record, '')
  expect((await run(['bash', 'scripts/quickstart', 'down'])).code).toBe(0)
  expect(recorded()).toEqual(['docker info', 'kind delete cluster --name sac'])
  expect((await run(['bash', 'scripts/quickstart', 'sideways'])).code).toBe(2)
})
