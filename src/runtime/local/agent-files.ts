// The scripts and settings that go into a sandbox, written from the program to DATA_DIR, where they can be bound.
import { join } from 'node:path'
import launch from '../../../chart/files/agent/launch.sh' with { type: 'text' }
import launchOpen from '../../../chart/files/agent/launch-open.sh' with { type: 'text' }
import loop from '../../../chart/files/agent/loop.sh' with { type: 'text' }
import managedSettings from '../../../chart/files/agent/managed-settings.json' with { type: 'text' }
import { AGENT_ID } from './bubblewrap.ts'
import { writeWhole } from './home.ts'

export interface AgentFiles {
  launch: string
  launchOpen: string
  loop: string
  notify: string
  managedSettings: string
  passwd: string
  group: string
}

const NOTIFY = '#!/bin/sh\nexec /opt/sac/sidecar notify\n'
const PASSWD = `root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:${AGENT_ID}:${AGENT_ID}:agent:/home/agent:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`
const GROUP = `root:x:0:\nagent:x:${AGENT_ID}:\nnogroup:x:65534:\n`

/** Writes the files when they are missing or of another version; returns their paths. */
export async function agentFiles(dataDir: string): Promise<AgentFiles> {
  const folder = join(dataDir, 'agent-files')
  const put = async (name: string, text: string, mode = 0o755) => {
    await writeWhole(join(folder, name), text, mode)
    return join(folder, name)
  }
  return {
    launch: await put('launch.sh', String(launch)),
    launchOpen: await put('launch-open.sh', String(launchOpen)),
    loop: await put('loop.sh', String(loop)),
    notify: await put('notify', NOTIFY),
    managedSettings: await put('managed-settings.json', String(managedSettings), 0o644),
    passwd: await put('passwd', PASSWD, 0o644),
    group: await put('group', GROUP, 0o644),
  }
}
