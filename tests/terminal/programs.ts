// Real programs behind real terminals: dtach's socket, ttyd (or a peer that speaks its protocol where there is none).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import type { TerminalAddress } from '../../src/runtime/runtime.ts'
import { freePort } from '../support/free-port.ts'
import { startTtydPeer } from './ttyd-peer.ts'

/** A program in a terminal, at an address that stays the same when it is started again. */
export interface Program {
  address: TerminalAddress
  /** A folder of its own, also the program's working directory. */
  folder: string
  end(): Promise<void>
  startAgain(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const ENVIRONMENT = { PATH: process.env.PATH ?? '/usr/bin:/bin', TERM: 'xterm-256color', LANG: 'C.UTF-8', HOME: '/nonexistent' }

/** ttyd of `TTYD_BIN` or of the path. */
export const TTYD = process.env.TTYD_BIN || Bun.which('ttyd') || undefined

const spawn = (command: string[], cwd: string) => Bun.spawn(command, { cwd, env: ENVIRONMENT, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' })

/** Runs a shell script in a terminal of dtach. */
export async function inDtach(script: string): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'sac-terminal-'))
  const socketPath = join(folder, 'socket')
  const run = () => spawn(['dtach', '-N', socketPath, '-E', '-z', 'bash', '-c', script], folder)
  return program({ kind: 'dtach', socketPath }, folder, run, () => canConnect({ unix: socketPath }))
}

/** Runs a shell script in a terminal of ttyd, with a credential. Each connection runs its own. */
export async function inTtyd(script: string): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'sac-terminal-'))
  const credential = 'agent:a secret'
  const port = freePort()
  const command = ['bash', '-c', script]
  const address: TerminalAddress = { kind: 'ttyd', url: `ws://127.0.0.1:${port}/ws`, credential }
  const run = () =>
    TTYD
      ? spawn([TTYD, '-p', String(port), '-i', '127.0.0.1', '-W', '-c', credential, ...command], folder)
      : startTtydPeer({ port, credential, command, cwd: folder, env: ENVIRONMENT })
  return program(address, folder, run, () => canConnect({ hostname: '127.0.0.1', port }))
}

async function program(address: TerminalAddress, folder: string, run: () => { kill(): void; exited: Promise<unknown> }, ready: () => Promise<boolean>): Promise<Program> {
  let child = run()
  await until(ready, { what: `a terminal at ${JSON.stringify(address)}` })
  const end = async () => {
    child.kill()
    await child.exited
  }
  return {
    address,
    folder,
    end,
    async startAgain() {
      if (address.kind === 'dtach') rmSync(address.socketPath, { force: true })
      child = run()
      await until(ready, { what: 'the terminal again' })
    },
    async [Symbol.asyncDispose]() {
      await end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function canConnect(where: { unix: string } | { hostname: string; port: number }): Promise<boolean> {
  try {
    const socket = 'unix' in where ? await Bun.connect({ ...where, socket: { data() {} } }) : await Bun.connect({ ...where, socket: { data() {} } })
    socket.end()
    return true
  } catch {
    return false
  }
}
