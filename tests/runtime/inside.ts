// A real local sandbox whose CLI runs whatever a test hands it, so that tests can look at the world from the inside.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { LocalRuntime } from '../../src/runtime/local/adapter.ts'
import type { IsolationKind } from '../../src/runtime/local/isolation.ts'
import { foldersOf, sandboxesRoot } from '../../src/runtime/local/layout.ts'
import type { SandboxSpec } from '../../src/runtime/runtime.ts'

/** Runs the scripts that it finds in the workspace, one after the other. */
const CLI = `#!/bin/sh
trap 'echo ready' WINCH
echo ready
while :; do
  for job in /workspace/jobs/*.sh; do
    [ -e "$job" ] || continue
    sh "$job" > "\${job%.sh}.out" 2>&1
    echo $? > "\${job%.sh}.new"
    mv "\${job%.sh}.new" "\${job%.sh}.code"
    rm -f "$job"
  done
  sleep 0.02
done
`

export interface Answer {
  code: number
  out: string
}

/** An executable that serves as CLAUDE_BIN for `ask`. */
export function jobCli(folder: string): string {
  const path = join(folder, 'job-cli')
  writeFileSync(path, CLI)
  chmodSync(path, 0o755)
  return path
}

let jobs = 0

/** Runs a shell script inside the sandbox whose workspace this is. */
export async function ask(workspace: string, script: string, timeoutMs = 10_000): Promise<Answer> {
  const folder = join(workspace, 'jobs')
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o777)
  const name = join(folder, String(++jobs))
  writeFileSync(`${name}.new.sh.part`, script)
  chmodSync(`${name}.new.sh.part`, 0o644)
  renameSync(`${name}.new.sh.part`, `${name}.sh`)
  await until(() => existsSync(`${name}.code`), { timeoutMs, what: `an answer to: ${script}` })
  return { code: Number(readFileSync(`${name}.code`, 'utf8')), out: readFileSync(`${name}.out`, 'utf8').trim() }
}

/** A runtime of its own with the job CLI, without a server. */
export class Inside {
  readonly dataDir: string
  readonly runtime: LocalRuntime

  constructor({ isolation, dataDir, claudeBin }: { isolation?: IsolationKind; dataDir?: string; claudeBin?: string } = {}) {
    this.dataDir = dataDir ?? mkdtempSync(join(tmpdir(), 'sac-test-inside-'))
    mkdirSync(this.dataDir, { recursive: true })
    this.runtime = new LocalRuntime({
      dataDir: this.dataDir,
      claudeBin: claudeBin ?? jobCli(this.dataDir),
      installEnvironment: {},
      sidecarBin: join(import.meta.dir, '..', '..', 'dist', 'sidecar'),
      allowUnsandboxed: false,
      isolations: isolation && [isolation],
      logger: createLogger({ level: 'error', format: 'console' }),
      internalUrl: () => '',
    })
  }

  folders(agentId: number) {
    return foldersOf(sandboxesRoot(this.dataDir), { userId: 1, agentId })
  }

  async start(agentId: number, spec: Partial<SandboxSpec> = {}): Promise<void> {
    const whole: SandboxSpec = {
      userId: 1,
      agentId,
      generation: 1,
      birth: null,
      environment: {},
      claudeMd: '',
      resources: { cpuLimit: 2, memoryLimitBytes: 512 * 1024 ** 2, pidsLimit: 200 },
      sandboxToken: 'canary-sandbox-token',
      internalUrl: '',
      theme: 'dark',
      ...spec,
    }
    await this.runtime.start(whole, () => {}, AbortSignal.timeout(30_000))
  }

  ask(agentId: number, script: string, timeoutMs?: number): Promise<Answer> {
    return ask(this.folders(agentId).workspace, script, timeoutMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const state of await this.runtime.list()) await this.runtime.remove({ ...state, birth: null })
    await this.runtime[Symbol.asyncDispose]()
    rmSync(this.dataDir, { recursive: true, force: true })
  }
}
