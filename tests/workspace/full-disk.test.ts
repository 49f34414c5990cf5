import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { until } from '../../src/lib/until.ts'
import { smallDisk } from '../support/disk.ts'
import { Tenancy } from '../support/tenants.ts'

setDefaultTimeout(120_000)

const disk = smallDisk('300m')
afterAll(() => disk?.[Symbol.dispose]())

interface Listed {
  files: { name: string }[]
}

test.skipIf(!disk)('on a disk that is full for files and database alike everything says so, reading works, what was kept stays, and room mends it without a restart', async () => {
  const portal = await Tenancy.start(disk ? { DATA_DIR: disk.folder } : {})
  const owner = await portal.tenant('owner')
  const agent = await portal.run(owner)
  const { pid } = portal.portal
  const change = async () => {
    // Random, so that the database needs room for it.
    const instructions = Buffer.from(crypto.getRandomValues(new Uint8Array(5000))).toString('base64')
    const answer = await fetch(`${portal.url}/api/agents/${owner.agentId}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${owner.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ instructions }),
    })
    return { status: answer.status, text: await answer.text() }
  }
  const files = async () => (await portal.portal.ask<Listed>(owner.token, 'GET', `/api/workspace/output/files?agent_id=${owner.agentId}`)).files.map(({ name }) => name)
  try {
    expect((await portal.upload(agent, 'kept', 'kept'))?.status).toBe(201)
    disk?.fill(0)
    expect((await portal.upload(agent, 'refused', 'x'))?.status).toBe(507)
    const refused = await until(async () => ((await change()).status === 200 ? undefined : change()), { timeoutMs: 30_000, intervalMs: 1, what: 'a full database' })
    expect(refused).toMatchObject({ status: 507, text: expect.stringContaining('"disk_full"') })
    expect(await files()).toEqual(['kept'])
    disk?.empty()
    await until(async () => (await change()).status === 200, { timeoutMs: 30_000, what: 'a change that is kept' })
    await until(async () => (await portal.upload(agent, 'after', 'x'))?.status === 201, { timeoutMs: 30_000, what: 'a file that is kept' })
    expect(await files()).toEqual(['after', 'kept'])
    expect(portal.portal.pid).toBe(pid)
  } finally {
    disk?.empty()
    await portal.end([owner])
  }
})
