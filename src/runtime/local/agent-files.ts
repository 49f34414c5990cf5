// The scripts and settings that go into a sandbox, written from the program to DATA_DIR, where they can be bound.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import enter from '../../../chart/files/agent/enter.sh' with { type: 'text' }
import launch from '../../../chart/files/agent/launch.sh' with { type: 'text' }
import loop from '../../../chart/files/agent/loop.sh' with { type: 'text' }
import managedSettings from '../../../chart/files/agent/managed-settings.json' with { type: 'text' }
import { randomToken } from '../../lib/crypto.ts'
import { callFilter } from './seccomp.ts'

export interface AgentFiles {
  launch: string
  enter: string
  loop: string
  notify: string
  managedSettings: string
  /** The filter of system calls. */
  filter: string
}

const NOTIFY = '#!/bin/sh\nexec /opt/sac/sidecar notify\n'

/** Writes the files when they are missing or of another version; returns their paths. */
export async function agentFiles(dataDir: string): Promise<AgentFiles> {
  const folder = join(dataDir, 'agent-files')
  await mkdir(folder, { recursive: true, mode: 0o755 })
  const put = async (name: string, content: string | Uint8Array, mode = 0o755) => {
    await writeWhole(join(folder, name), Buffer.from(content), mode)
    return join(folder, name)
  }
  return {
    launch: await put('launch.sh', String(launch)),
    enter: await put('enter.sh', String(enter)),
    loop: await put('loop.sh', String(loop)),
    notify: await put('notify', NOTIFY),
    managedSettings: await put('managed-settings.json', String(managedSettings), 0o644),
    filter: await put('calls.bpf', callFilter(), 0o644),
  }
}

/** Writes a file whole or not at all, and only when its content is another one. */
async function writeWhole(path: string, content: Buffer, mode: number): Promise<void> {
  const present = await readFile(path).catch(() => undefined)
  if (present && content.equals(present)) return
  const temporary = `${path}.${randomToken(6)}.new`
  await writeFile(temporary, content, { mode })
  await rename(temporary, path)
}
