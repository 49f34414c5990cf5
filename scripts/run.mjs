// Entry of `npm start` and `npm test`: brings a machine that has only Node and npm to where Bun can take over.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bun = join(root, 'node_modules', '.bin', 'bun')
const [command = 'start', ...rest] = process.argv.slice(2)
const BUN = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies.bun

// Program (or file) to look for, and Debian's package that has it.
const START = { bwrap: 'bubblewrap', dtach: 'dtach', setpriv: 'util-linux', git: 'git', '/etc/ssl/certs/ca-certificates.crt': 'ca-certificates' }
const TEST = { ...START, chromium: 'chromium', 'redis-server': 'redis-server', python3: 'python3', ps: 'procps' }

function has(program) {
  if (program.startsWith('/')) return existsSync(program)
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/bin', '/usr/sbin', '/usr/local/bin']
  return folders.some((folder) => folder && existsSync(join(folder, program)))
}

function fail(message) {
  process.stderr.write(`\n${message}\n\n`)
  process.exit(1)
}

function run(program, args, options = {}) {
  return spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options }).status === 0
}

function systemPackages() {
  if (process.platform !== 'linux') return
  const missing = Object.entries(command.startsWith('test') ? TEST : START).filter(([program]) => !has(program))
  if (missing.length === 0) return
  const packages = [...new Set(missing.map(([, name]) => name))]
  const names = missing.map(([program]) => program).join(', ')
  if (!has('apt-get')) fail(`These are missing: ${names}.\nInstall them with your system's package manager and start again. Debian calls the packages ${packages.join(' ')}.`)
  const byHand = `apt-get update && ${process.getuid() === 0 ? '' : 'sudo '}apt-get install -y ${packages.join(' ')}`
  const become = privileges()
  if (!become) fail(`These are missing: ${names}. Only an administrator can install them:\n\n  sudo ${byHand}\n\nThen start again.`)
  process.stdout.write(`Installing system packages: ${packages.join(' ')}\n`)
  const apt = (...args) => {
    const [program, ...words] = [...become, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...args]
    return run(program, words, { stdio: ['inherit', 'ignore', 'inherit'] })
  }
  // Lists that cannot be renewed may still be good enough.
  apt('update')
  if (!apt('install', '-y', '--no-install-recommends', ...packages))
    fail(`The packages could not be installed; the messages above say why. By hand:\n\n  ${byHand}\n\nThen start again.`)
}

/** Words that make an administrator of us; undefined when nothing does. */
function privileges() {
  if (process.getuid() === 0) return []
  if (!has('sudo')) return undefined
  if (spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0) return ['sudo', '-n']
  // Somebody at a terminal can type a password.
  return process.stdin.isTTY ? ['sudo'] : undefined
}

function dependencies() {
  const stamp = join(root, 'node_modules', '.cache', 'sac-installed')
  const wanted = ['bun.lock', 'package.json'].reduce((hash, name) => hash.update(readFileSync(join(root, name))), createHash('sha256')).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && works(bun)) return
  process.stdout.write('Installing packages\n')
  if (!works(bun) && !has('npx')) fail('npm is missing. Install it beside Node (on Debian or Ubuntu: apt-get install npm) and start again.')
  // npm 12 runs the install scripts of named packages only; older ones do not mind the flag.
  const [program, ...args] = works(bun) ? [bun, 'install', '--frozen-lockfile'] : ['npx', '-y', '--allow-scripts=bun', `bun@${BUN}`, 'install', '--frozen-lockfile']
  if (!run(program, args)) fail('The packages could not be installed; the messages above say why. Check the network and the npm registry, then start again.')
  // A package manager that runs no install scripts leaves a placeholder in Bun's place.
  if (!works(bun) && existsSync(join(root, 'node_modules/bun/install.js'))) run(process.execPath, [join(root, 'node_modules/bun/install.js')])
  if (!works(bun)) fail('Bun was installed but does not run here. https://bun.sh/docs/installation lists the systems that it supports.')
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

/** Runs Bun in our place: its output, our signals, its exit code. */
function goOn(args, env = process.env) {
  const child = spawn(bun, args, { cwd: root, stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(`Bun could not be started: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}

if (Number(process.versions.node.split('.')[0]) < 18) fail(`Node ${process.versions.node} is too old. Install Node 18 or newer and start again.`)
if (!['start', 'test', 'test:k8s', 'setup'].includes(command)) fail(`There is no "${command}". Use start, test, test:k8s or setup.`)
systemPackages()
dependencies()
if (command === 'test') goOn(['scripts/test.ts', ...rest])
if (command === 'test:k8s') goOn(['scripts/test-k8s.ts', ...rest])
if (command === 'start') {
  if (!run(bun, ['scripts/build.ts', 'static', 'sidecar'])) fail('The build failed; the messages above say why.')
  goOn(['src/main.ts', 'serve', ...rest], { LOG_FORMAT: process.stderr.isTTY ? 'console' : 'json', ...process.env })
}
