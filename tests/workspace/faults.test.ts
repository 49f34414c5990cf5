import { expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import { openDatabase } from '../../src/db/client.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { sha256Hex } from '../../src/lib/crypto.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { FilesystemStorage } from '../../src/storage/filesystem.ts'
import { ObjectRemovals } from '../../src/workspace/object-removals.ts'
import { inconsistencies } from '../support/output-state.ts'
import { postmasterPid } from '../support/processes.ts'
import { random } from '../support/random.ts'
import { type Running, Tenancy } from '../support/tenants.ts'

setDefaultTimeout(180_000)

const ROUNDS = 12
const UPLOADERS = 4

test('killed again and again at random moments (server, sidecar, database), nothing that was answered is lost and nothing half-written is listed', async () => {
  const chance = random('faults of the output')
  const below = (limit: number) => Math.floor(chance() * limit)
  const portal = await Tenancy.start()
  const owner = await portal.tenant('owner')
  const agent = await portal.run(owner)
  const direct = new DirectUploads(portal, agent, below)
  const victims: Record<string, () => Promise<unknown>> = {
    server: async () => {
      await portal.portal.end('SIGKILL')
      await portal.portal.start()
    },
    sidecar: async () => process.kill(portal.sidecarPid(agent), 'SIGKILL'),
    database: async () => process.kill(postmasterPid(portal.dataDir), 'SIGKILL'),
  }
  const names = Object.keys(victims)
  for (let round = 0; round < ROUNDS; round++) {
    for (let file = 0; file < 15; file++) change(agent.output, below)
    await Bun.sleep(below(400))
    await victims[names[round % names.length] ?? '']?.().catch(() => {})
    await Bun.sleep(below(300))
  }
  await direct.end()
  const expected = filesIn(agent.output)
  expect(expected.size).toBeGreaterThan(20)
  await until(() => isMirrored(portal, agent, expected).catch(() => false), { timeoutMs: 60_000, intervalMs: 250, what: 'the folder’s files in the list' })
  // No failure was a mystery.
  expect([...direct.statuses].filter((status) => ![200, 201, 503].includes(status))).toEqual([])
  await portal.portal.end('SIGTERM')
  await checkWhatIsKept(portal, expected, direct)
  await portal.portal.start()
  await portal.end([owner])
})

/** Looks at rows and objects without the portal, after the sweeps that it would make within the hour. */
async function checkWhatIsKept(portal: Tenancy, expected: Map<string, string>, direct: DirectUploads): Promise<void> {
  const embedded = await startEmbedded({ dataDir: portal.dataDir, logger: silentLogger })
  const database = openDatabase({ url: embedded.url, poolSize: 2, poolWaitMs: 1000, statementTimeoutMs: 10_000, logger: silentLogger })
  try {
    const { db } = database
    const rows = new Map(
      [...(await db.execute<{ path: string; sha256: string }>(sql`select path, sha256 from output_files where deleted_at is null`))].map((row) => [row.path, row.sha256]),
    )
    for (const [path, sha256] of expected) expect(rows.get(path), path).toBe(sha256)
    expect(direct.answered.size).toBeGreaterThan(5)
    for (const path of direct.answered) expect(rows.get(path), path).toBe(direct.sent.get(path))
    for (const [path, sha256] of rows) expect(expected.get(path) ?? direct.sent.get(path), path).toBe(sha256)
    const folder = join(portal.dataDir, 'storage')
    const storage = new FilesystemStorage(folder)
    const removals = new ObjectRemovals({ db, storage })
    const later = Date.now() + 3_600_000
    for (const name of readdirSync(join(folder, 'tmp'))) utimesSync(join(folder, 'tmp', name), 0, 0)
    await storage.sweep()
    await removals.sweepOrphans(later)
    // One sweep takes a bounded number; a kill in the middle of packs may leave more.
    for (let left = 10; left > 0 && (await removals.sweepUnknown(later)) > 0; left--);
    expect(await inconsistencies(db, folder)).toEqual([])
  } finally {
    await database.close()
    await embedded.stop()
  }
}

/** Uploads as a sidecar makes them, which remember what was answered. */
class DirectUploads {
  readonly sent = new Map<string, string>()
  readonly answered = new Set<string>()
  readonly statuses = new Set<number>()
  private ending = false
  private readonly running: Promise<unknown>

  constructor(
    private readonly portal: Tenancy,
    private readonly agent: Running,
    below: (limit: number) => number,
  ) {
    this.running = Promise.all(Array.from({ length: UPLOADERS }, (_, own) => this.run(own, below)))
  }

  async end(): Promise<void> {
    this.ending = true
    await this.running
  }

  private async run(own: number, below: (limit: number) => number): Promise<void> {
    for (let file = 0; !this.ending; file++) {
      const path = `direct/${own}-${file}`
      const body = Buffer.alloc(1 + below(2_000_000), `${path} `)
      const sha256 = sha256Hex(body)
      this.sent.set(path, sha256)
      const answer = await this.portal.upload(this.agent, path, body)
      if (answer) this.statuses.add(answer.status)
      if (answer?.seq) this.answered.add(path)
      await Bun.sleep(20 + below(60))
    }
  }
}

/** One random change of the agent's folder. */
function change(output: string, below: (limit: number) => number): void {
  const path = join(output, 'mine', `${below(5)}`, `${below(20)}`)
  mkdirSync(dirname(path), { recursive: true })
  if (below(6) === 0 && existsSync(path)) unlinkSync(path)
  else writeFileSync(path, Buffer.alloc(below(4) === 0 ? below(1_500_000) : below(3000), `${below(1e9)} `))
}

function filesIn(output: string): Map<string, string> {
  const files = new Map<string, string>()
  for (const path of new Bun.Glob('mine/**').scanSync({ cwd: output })) files.set(path, sha256Hex(readFileSync(join(output, path))))
  return files
}

interface Page {
  files: { path: string; is_directory: boolean }[]
  next: string | null
}

async function listed(portal: Tenancy, agent: Running, path: string): Promise<string[]> {
  const page = await portal.portal.ask<Page>(agent.token, 'GET', `/api/workspace/output/files?agent_id=${agent.agentId}&path=${path}`)
  const inner = await Promise.all(page.files.map((file) => (file.is_directory ? listed(portal, agent, file.path) : [file.path])))
  return inner.flat()
}

async function isMirrored(portal: Tenancy, agent: Running, expected: Map<string, string>): Promise<boolean> {
  const paths = await listed(portal, agent, 'mine')
  if (paths.length !== expected.size) return false
  for (const path of paths) {
    const url = `${portal.url}/api/workspace/output/files/download?agent_id=${agent.agentId}&path=${path}`
    const answer = await fetch(url, { headers: { authorization: `Bearer ${agent.token}` } })
    if (sha256Hex(new Uint8Array(await answer.arrayBuffer())) !== expected.get(path)) return false
  }
  return true
}
