// Ten thousand small files at once, in one folder and in a hundred new ones: until all are stored and listed, and in what memory.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../src/lib/until.ts'
import { type Running, Tenancy } from '../tests/support/tenants.ts'
import { memoryKiB, verdict } from './support/figures.ts'
import { table } from './support/terminal.ts'

const FILES = Number(process.argv[2]) || 10_000
const FOLDERS = 100
const WARM = 300
const IDLE_MS = 20_000

interface Page {
  files: { name: string; is_directory: boolean }[]
  next: string | null
  total_files: number
}

interface Figures {
  storedMs: number
  missing: number
  sidecarKiB: number
  grownKiB: number
}

const SHAPES: [string, (file: number) => string][] = [
  ['one folder', (file) => `one/${file}.txt`],
  [`${FOLDERS} new folders`, (file) => `many/${file % FOLDERS}/${file}.txt`],
]

function write(root: string, shape: (file: number) => string): void {
  for (let file = 0; file < FILES; file++) {
    const path = join(root, shape(file))
    if (file < FOLDERS) mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, `content of file ${file}\n`.repeat(1 + (file % 20)))
  }
}

/** Names of all files below a folder, through every page of every level. */
async function listed(portal: Tenancy, agent: Running, path: string): Promise<Set<string>> {
  const names = new Set<string>()
  let next: string | null = ''
  while (next !== null) {
    const page: Page = await portal.portal.ask(agent.token, 'GET', `/api/workspace/output/files?agent_id=${agent.agentId}&path=${path}&after=${next}`)
    for (const { name, is_directory } of page.files) {
      if (!is_directory) names.add(`${path}/${name}`)
      else for (const inner of await listed(portal, agent, `${path}/${name}`)) names.add(inner)
    }
    next = page.next
  }
  return names
}

async function storm(portal: Tenancy, agent: Running, shape: (file: number) => string): Promise<Figures> {
  const folder = shape(0).split('/')[0] ?? ''
  const before = memoryKiB(portal.portal.pid)
  let most = before
  const sampling = setInterval(() => {
    most = Math.max(most, memoryKiB(portal.portal.pid))
  }, 50)
  const began = performance.now()
  // In a process of its own, as an agent would.
  const child = Bun.spawn([process.execPath, import.meta.path, '--write', agent.output, String(SHAPES.findIndex(([, one]) => one === shape))], { stdin: 'ignore' })
  await child.exited
  const count = async () => (await portal.portal.ask<Page>(agent.token, 'GET', `/api/workspace/output/files?agent_id=${agent.agentId}&path=${folder}`)).total_files
  await until(async () => (await count().catch(() => 0)) === FILES, { timeoutMs: 90_000, intervalMs: 500, what: 'all files' }).catch(() => {})
  const names = await listed(portal, agent, folder)
  const storedMs = performance.now() - began
  clearInterval(sampling)
  const missing = Array.from({ length: FILES }, (_, file) => shape(file)).filter((path) => !names.has(path)).length
  return { storedMs, missing, sidecarKiB: memoryKiB(portal.sidecarPid(agent), 'VmHWM'), grownKiB: most - before }
}

if (process.argv[2] === '--write') {
  const [, shape = SHAPES[0]?.[1]] = SHAPES[Number(process.argv[4])] ?? []
  if (shape) write(process.argv[3] ?? '', shape)
  process.exit(0)
}

const portal = await Tenancy.start()
const owner = await portal.tenant('owner')
const agent = await portal.run(owner)
try {
  const verdicts: string[][] = []
  // What every process needs once: code paths, buffers, the database's cache.
  mkdirSync(join(agent.output, 'warm'))
  for (let file = 0; file < WARM; file++) writeFileSync(join(agent.output, 'warm', `${file}.txt`), `warm ${file}`)
  await Bun.sleep(3000)
  verdicts.push(verdict('sidecar idle before', memoryKiB(portal.sidecarPid(agent)) / 1024, 40, 'MiB'))
  const rows: string[][] = [['', 'seconds', 'plain copy s', 'ratio']]
  for (const [name, shape] of SHAPES) {
    const figures = await storm(portal, agent, shape)
    const folder = shape(0).split('/')[0] ?? ''
    const copying = performance.now()
    cpSync(join(agent.output, folder), join(portal.dataDir, 'copy'), { recursive: true })
    Bun.spawnSync(['sync', '-f', portal.dataDir])
    const copied = performance.now() - copying
    rmSync(join(portal.dataDir, 'copy'), { recursive: true })
    rows.push([name, (figures.storedMs / 1000).toFixed(1), (copied / 1000).toFixed(1), (figures.storedMs / copied).toFixed(1)])
    verdicts.push(
      verdict(`${name}: stored and listed`, figures.storedMs / 1000, 20, 's'),
      verdict(`${name}: missing`, figures.missing, 0, 'files'),
      verdict(`${name}: sidecar, the most ever`, figures.sidecarKiB / 1024, 64, 'MiB'),
      verdict(`${name}: server grows at most`, figures.grownKiB / 1024, 50, 'MiB'),
    )
  }
  await Bun.sleep(IDLE_MS)
  const after = portal.sidecarPid(agent)
  verdicts.push(verdict(`sidecar idle again (${(memoryKiB(after, 'RssAnon') / 1024).toFixed(1)} MiB of its own, the rest is its program)`, memoryKiB(after) / 1024, 40, 'MiB'))
  table(`${FILES} small files at once`, rows)
  table('limits', verdicts)
} finally {
  await portal.end([owner])
}
