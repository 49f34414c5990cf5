import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

const ROOT = join(import.meta.dir, '..')
const PORTS = ['runtime', 'storage', 'bus']
const FEATURES = ['users', 'groups', 'settings', 'agents', 'sessions', 'rollouts', 'terminal', 'skills', 'workspace', 'history', 'admin', 'maintenance', 'internal']
/** Pure functions about a feature's own facts that the pages of another one show, too. */
const SHARED_FACTS = ['src/workspace/levels.ts', 'src/sessions/steps.ts', 'src/agents/words.ts']
const MOST_LINES = 400
const LAYERS = ['src', 'views', 'static', 'sidecar'] as const
const TOOLS = ['scripts', 'tests', 'bench']

const scanners = { ts: new Bun.Transpiler({ loader: 'ts' }), tsx: new Bun.Transpiler({ loader: 'tsx' }) }

interface Import {
  from: string
  /** Path below the project, or the name of a package. */
  to: string
}

function sources(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return []
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|tsx)$/.test(name) && !name.endsWith('.d.ts') && !name.startsWith('dist'))
    .map((name) => join(folder, name))
}

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

/** What a file imports at run time; `import type` leaves nothing behind. */
function importsOf(from: string): Import[] {
  return (
    scanners[from.endsWith('x') ? 'tsx' : 'ts']
      .scanImports(read(from))
      // The scanner adds the renderer of its own default; the one in use is set by tsconfig.json.
      .filter(({ path }) => !/^react(\/|$)/.test(path))
      .map(({ path }) => ({ from, to: path.startsWith('.') ? relative(ROOT, join(ROOT, dirname(from), path)) : path }))
  )
}

const code = LAYERS.flatMap(sources)
const imports = code.flatMap(importsOf)
const ours = imports.filter(({ to }) => /^(src|views|static|sidecar|chart|scripts|tests|bench|migrations)\//.test(to))

const inFolder = (folder: string) => (path: string) => path.startsWith(`${folder}/`)
const isLib = inFolder('src/lib')
const isHttp = inFolder('src/http')
const isView = inFolder('views')
const isContract = (path: string) => path === 'src/internal/contract.ts'
const isSchema = (path: string) => basename(path) === 'schema.ts'
const isRoute = (path: string) => /^(routes|pages)(\.ts$|-|\/)/.test(path.split('/').slice(2).join('/')) || /-(routes|pages)\.ts$/.test(path)
const isPort = (path: string) => PORTS.some((port) => path === `src/${port}/${port}.ts`) || path === 'src/storage/keys.ts'
const featureOf = (path: string) => FEATURES.find((feature) => path.startsWith(`src/${feature}/`))

type Allowed = (to: string, from: string) => boolean

/** Who may import whom. Every file falls under the first rule that names it. */
const RULES: [who: string, names: (file: string) => boolean, allowed: Allowed, remedy: string][] = [
  ['lib', isLib, (to) => isLib(to), 'Hand in what it needs, or move the file to the feature that it knows about.'],
  ['views', isView, (to) => isView(to), 'A view draws the data that it is given: move the type or the rule into views, or compute it in the route.'],
  ['static', inFolder('static'), (to) => inFolder('static')(to), 'The browser gets nothing of the server: put the fact into an attribute of the page.'],
  ['sidecar', inFolder('sidecar'), (to) => inFolder('sidecar')(to) || isLib(to) || isContract(to), 'What both sides must know belongs to src/internal/contract.ts.'],
  ['config', (file) => file === 'src/config.ts', (to) => isLib(to), 'The configuration stands at the bottom: nothing but lib below it.'],
  [
    'main and server',
    (file) => /^src\/(main|server|seed|secrets|migrate-command|maintenance-command)\.ts$/.test(file),
    (to) => !isRoute(to) && !isView(to),
    'Commands speak to the context.',
  ],
  ['context', (file) => file === 'src/context.ts', (to) => !isRoute(to) && !isView(to) && to !== 'src/app.ts', 'Routes are given the context, not the other way round.'],
  [
    'app',
    (file) => /^src\/(app|route-policies)\.ts$/.test(file),
    (to) => isRoute(to) || isHttp(to) || isContract(to) || to === 'src/route-policies.ts',
    'The app mounts routes; what they need comes from the context.',
  ],
  ['http', isHttp, (to) => isHttp(to) || isLib(to) || isView(to), 'The edge knows no feature: take what it needs as a parameter.'],
  ['db', inFolder('src/db'), (to) => inFolder('src/db')(to) || isLib(to) || isSchema(to), 'Database access knows tables, not services.'],
  [
    'adapters',
    (file) => PORTS.some((port) => inFolder(`src/${port}`)(file)),
    (to, from) => dirname(to).startsWith(from.split('/').slice(0, 2).join('/')) || isLib(to) || inFolder('chart/files')(to),
    'An adapter knows its port and lib.',
  ],
  [
    'routes and pages',
    isRoute,
    (to, from) => featureOf(to) === featureOf(from) || isHttp(to) || isView(to) || isLib(to) || isContract(to) || SHARED_FACTS.includes(to),
    'Routes speak to services that they are given; database, storage, bus and runtime are not theirs.',
  ],
  [
    'services',
    (file) => featureOf(file) !== undefined,
    (to, from) =>
      (featureOf(to) === featureOf(from) && !isRoute(to)) ||
      isPort(to) ||
      to === 'src/db/client.ts' ||
      isSchema(to) ||
      isLib(to) ||
      isContract(to) ||
      SHARED_FACTS.includes(to) ||
      (shapesAnswers(from) && (isHttp(to) || isView(to))),
    'Another feature’s service comes through the constructor (`import type` is free); technology comes through its port.',
  ],
]

/** Files of a feature that shape what its routes answer: they may use the edge and the views, and hold no service. */
function shapesAnswers(file: string): boolean {
  return !/^export (abstract )?class /m.test(read(file))
}

describe('who imports whom', () => {
  for (const [who, names, allowed, remedy] of RULES) {
    test(who, () => {
      const mine = ours.filter(({ from }) => RULES.find(([, first]) => first(from))?.[0] === who && names(from))
      expect(mine.filter(({ from, to }) => !allowed(to, from)).map(({ from, to }) => `${from} imports ${to}. ${remedy}`)).toEqual([])
    })
  }

  test('every file falls under a rule', () => {
    expect(code.filter((file) => !RULES.some(([, names]) => names(file))).map((file) => `${file}: add its folder to FEATURES or PORTS, or move it.`)).toEqual([])
  })

  test('the browser’s part uses packages of the browser only, and views only their renderer', () => {
    const packages = imports.filter(({ from, to }) => (isView(from) || (inFolder('static')(from) && from !== 'static/build.ts')) && !/^(src|views|static)\//.test(to))
    const known = /^(@alpinejs\/csp|@xterm\/|htmx\.org|@kitajs\/html)/
    expect(packages.filter(({ to }) => !known.test(to)).map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  test('nothing of the product imports tests, scripts or measurements', () => {
    expect(ours.filter(({ to }) => TOOLS.some((folder) => inFolder(folder)(to))).map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })
})

test('only the configuration reads the environment', () => {
  const readers = ['sidecar/config.ts', 'src/config.ts']
  expect(
    code
      .filter((file) => /\b(process|Bun|import\.meta)\.env\b/.test(read(file)) && !readers.includes(file))
      .map((file) => `${file}: add the variable to src/config.ts and pass the value.`),
  ).toEqual([])
})

test('product code writes through the logger', () => {
  expect(code.filter((file) => !inFolder('static')(file) && /\bconsole\.\w+\(/.test(read(file)))).toEqual([])
})

test('every file says at its head what it is for', () => {
  const missing = [...code, ...sources('scripts')].filter((file) => !/^(#!.*\n)?(\/\/ |\/\*\* )/.test(read(file)))
  expect(missing.map((file) => `${file}: begin it with one comment line that says what it is for.`)).toEqual([])
})

test('no file outgrows its concept', () => {
  const long = code.filter((file) => read(file).split('\n').length > MOST_LINES)
  expect(long.map((file) => `${file} has more than ${MOST_LINES} lines: find the second concept in it and give it a file.`)).toEqual([])
})

test('nothing is exported as default', () => {
  expect(code.filter((file) => /^export default /m.test(read(file)))).toEqual([])
})
