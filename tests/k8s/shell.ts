// helm and kubectl for the suites with a cluster, and what those need from the environment.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { given } from './given.ts'

export const CHART = join(import.meta.dir, '..', '..', 'chart')
const HELM = process.env.HELM_BIN ?? 'helm'
const KUBECTL = process.env.KUBECTL_BIN ?? 'kubectl'
const LIMIT_MS = 280_000

export interface Ran {
  code: number
  out: string
  err: string
}

/** Runs a program to its end. Never throws for an exit code. */
export async function run(command: string[], input?: string): Promise<Ran> {
  const child = Bun.spawn(command, { stdin: input === undefined ? 'ignore' : Buffer.from(input), stdout: 'pipe', stderr: 'pipe', timeout: LIMIT_MS, killSignal: 'SIGKILL' })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return { code, out, err }
}

/** As `run`; throws what the program said when it failed. */
async function must(command: string[], input?: string): Promise<string> {
  const { code, out, err } = await run(command, input)
  if (code !== 0) throw new Error(`${command.slice(0, 6).join(' ')} … ended with ${code}:\n${err}${out}`)
  return out
}

export const helm = (...args: string[]) => must([HELM, ...args])
export const tryHelm = (...args: string[]) => run([HELM, ...args])
export const kubectl = (...args: string[]) => must([KUBECTL, ...args])
export const tryKubectl = (args: string[], input?: string) => run([KUBECTL, ...args], input)

/** Words for `--set` that put the given images into the chart. */
export function imageValues(): string[] {
  const words = (prefix: string, value: string | undefined) => {
    if (!value) return []
    const colon = value.lastIndexOf(':')
    return ['--set-string', `${prefix}.repository=${value.slice(0, colon)},${prefix}.tag=${value.slice(colon + 1)}`]
  }
  return [
    ...words('images.server', given('SERVER_IMAGE')),
    ...words('images.sidecar', given('SIDECAR_IMAGE')),
    ...words('images.agent', given('AGENT_IMAGE')),
    ...words('postgres.image', process.env.POSTGRES_IMAGE),
    ...words('redis.image', process.env.REDIS_IMAGE),
  ]
}

/** A file with these values, gone when the holder is disposed. */
export function valuesFile(values: object): Disposable & { path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sac-values-'))
  const path = join(folder, 'values.json')
  writeFileSync(path, JSON.stringify(values))
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

export interface Forward extends AsyncDisposable {
  url: string
  /** Whether it has ended, as it does with what it led to. */
  readonly isOver: boolean
}

/** Reaches a Service, or a `pod/NAME`, from this machine, wherever the cluster is. */
export async function forward(namespace: string, target: string, port: number): Promise<Forward> {
  const child = Bun.spawn([KUBECTL, 'port-forward', '-n', namespace, target.includes('/') ? target : `service/${target}`, `:${port}`], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const reader = child.stdout.getReader()
  let said = ''
  while (!/127\.0\.0\.1:(\d+)/.test(said)) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`kubectl port-forward to ${target} ended: ${said}`)
    said += new TextDecoder().decode(value)
  }
  return {
    url: `http://127.0.0.1:${/127\.0\.0\.1:(\d+)/.exec(said)?.[1]}`,
    get isOver() {
      return child.exitCode !== null
    },
    async [Symbol.asyncDispose]() {
      child.kill()
      await child.exited
    },
  }
}
