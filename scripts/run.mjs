// Entry of `npm start` and `npm test`: brings a machine that has only Node and npm to where Bun can take over.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bun = join(root, 'node_modules', '.bin', 'bun')
const command = process.argv[2] ?? 'start'
const BUN = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies.bun

// Program to look for, and Debian's package that has it.
const PROGRAMS = {
  start: { bwrap: 'bubblewrap', dtach: 'dtach', setpriv: 'util-linux' },
  test: { bwrap: 'bubblewrap', dtach: 'dtach', setpriv: 'util-linux', chromium: 'chromium', 'redis-server': 'redis-server', ps: 'procps' },
}

function has(program) {
  return (
    (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program))) ||
    ['/usr/bin', '/usr/sbin', '/usr/local/bin'].some((folder) => existsSync(join(folder, program)))
  )
}

function fail(message) {
  process.stderr.write(`\n${message}\n`)
  process.exit(1)
}

function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options })
  return result.status === 0
}

function systemPackages() {
  if (process.platform !== 'linux') return
  const missing = Object.entries(PROGRAMS[command === 'test' ? 'test' : 'start']).filter(([program]) => !has(program))
  if (missing.length === 0) return
  const packages = [...new Set(missing.map(([, name]) => name))]
  const isRoot = process.getuid() === 0
  const sudo = !isRoot && has('sudo') && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
  if (!has('apt-get') || (!isRoot && !sudo))
    fail(
      `These programs are missing: ${missing.map(([program]) => program).join(', ')}.\nInstall them and start again. On Debian or Ubuntu:\n\n  sudo apt-get install ${packages.join(' ')}\n`,
    )
  process.stdout.write(`Installing system packages: ${packages.join(' ')}\n`)
  const [program, prefix] = isRoot ? ['apt-get', []] : ['sudo', ['-n', 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get']]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  run(program, [...prefix, 'update', '-qq'], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  if (!run(program, [...prefix, 'install', '-y', '-qq', '--no-install-recommends', ...packages], { env, stdio: ['ignore', 'ignore', 'inherit'] }))
    fail(`The packages could not be installed. Install them by hand and start again:\n\n  apt-get install ${packages.join(' ')}\n`)
}

function dependencies() {
  const stamp = join(root, 'node_modules', '.cache', 'sac-installed')
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'bun.lock')))
    .update(readFileSync(join(root, 'package.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && works(bun)) return
  process.stdout.write('Installing packages\n')
  // npm 12 runs install scripts of named packages only; npm 11 does not mind the flag.
  const installer = works(bun) ? [bun, ['install', '--frozen-lockfile']] : ['npx', ['-y', '--allow-scripts=bun', `bun@${BUN}`, 'install', '--frozen-lockfile']]
  if (!run(installer[0], installer[1])) fail('The packages could not be installed. Check the network and the npm registry, then start again.')
  if (!works(bun) && existsSync(join(root, 'node_modules/bun/install.js'))) run(process.execPath, [join(root, 'node_modules/bun/install.js')])
  if (!works(bun)) fail('Bun was installed but does not run here. See https://bun.sh/docs/installation for the systems that it supports.')
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

function works(program) {
  try {
    return execFileSync(program, ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] }).length > 0
  } catch {
    return false
  }
}

function goOn(args, env = process.env) {
  const child = spawn(bun, args, { cwd: root, stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
}

systemPackages()
dependencies()
if (command === 'start') {
  if (!run(bun, ['scripts/build.ts', 'static', 'sidecar'])) fail('The build failed; see the message above.')
  goOn(['src/main.ts', 'serve'], { LOG_FORMAT: process.stdout.isTTY ? 'console' : 'json', ...process.env })
} else if (command === 'test') goOn(['scripts/test.ts'])
else if (command !== 'setup') fail(`There is no "${command}". Use start, test or setup.`)
