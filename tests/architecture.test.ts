import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const ROOT = join(import.meta.dir, '..')
const FEATURES = ['users', 'groups', 'settings', 'agents', 'sessions', 'terminal', 'skills', 'workspace', 'history', 'admin', 'maintenance', 'internal']

function files(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.startsWith('dist'))
    .map((name) => join(folder, name))
}

/** Files that a file imports at run time; `import type` is free. */
function imports(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const found = [...text.matchAll(/^(?:import|export) (?!type )([^'"]*?from )?'(\.[^']+)'/gm)]
  return found.filter((match) => !/^\{(\s*type [\w\s]+,?)+\s*\} from $/.test(match[1] ?? '')).map((match) => relative(ROOT, join(ROOT, dirname(file), match[2] ?? '')))
}

const ALL = ['src', 'views', 'static', 'sidecar'].flatMap(files)
const offences = (of: (file: string) => boolean, allowed: (target: string, file: string) => boolean) =>
  ALL.filter(of).flatMap((file) =>
    imports(file)
      .filter((target) => !allowed(target, file))
      .map((target) => `${file} imports ${target}`),
  )

test('the libraries import nothing of ours', () => {
  expect(
    offences(
      (file) => file.startsWith('src/lib/'),
      (target) => target.startsWith('src/lib/'),
    ),
  ).toEqual([])
})

test('views import views, and browser code imports browser code', () => {
  expect(
    offences(
      (file) => file.startsWith('views/'),
      (target) => target.startsWith('views/'),
    ),
  ).toEqual([])
  expect(
    offences(
      (file) => file.startsWith('static/'),
      (target) => target.startsWith('static/'),
    ),
  ).toEqual([])
})

test('the sidecar knows the contract and the libraries, nothing else of the server', () => {
  expect(
    offences(
      (file) => file.startsWith('sidecar/'),
      (target) => target.startsWith('sidecar/') || target.startsWith('src/lib/') || target === 'src/internal/contract.ts',
    ),
  ).toEqual([])
})

test('adapters import their port and the libraries', () => {
  for (const port of ['runtime', 'storage', 'bus', 'db']) {
    const own = (target: string) =>
      target.startsWith(`src/${port}/`) || target.startsWith('src/lib/') || target.startsWith('chart/') || (port === 'db' && target.endsWith('/schema.ts'))
    expect(offences((file) => file.startsWith(`src/${port}/`), own)).toEqual([])
  }
})

test('routes and pages never touch the database, storage, bus or runtime', () => {
  expect(
    offences(
      (file) => /(routes|pages)\.ts$/.test(file),
      (target) => !/^src\/(db|storage|bus|runtime)\//.test(target),
    ),
  ).toEqual([])
})

test('services build no other feature’s services: they are given them', () => {
  const isService = (file: string) =>
    FEATURES.some((feature) => file.startsWith(`src/${feature}/`)) && !/(routes|pages|stage|form|lists|levels|preview|file-answer)\.ts$/.test(file)
  const allowed = (target: string, file: string) =>
    dirname(target) === dirname(file) ||
    /^src\/(lib|db)\//.test(target) ||
    target.endsWith('/schema.ts') ||
    /^src\/(runtime\/runtime|bus\/bus|storage\/(storage|keys))\.ts$/.test(target) ||
    (file === 'src/internal/auth.ts' && target.startsWith('src/'))
  expect(offences(isService, allowed)).toEqual([])
})

test('only the configuration reads the environment', () => {
  const readers = ALL.filter((file) => /\b(process|Bun)\.env\b/.test(readFileSync(join(ROOT, file), 'utf8')))
  expect(readers.sort()).toEqual(['sidecar/config.ts', 'src/config.ts', 'src/runtime/local/cli.ts'])
})

test('no file outgrows its concept', () => {
  expect(ALL.filter((file) => readFileSync(join(ROOT, file), 'utf8').split('\n').length > 400)).toEqual([])
})
