// From a file that is closed in the sandbox's folder to the listener, and to the page of a browser: through everything between.
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { QUIET_MS } from '../sidecar/quiet.ts'
import { launchBrowser } from '../tests/support/browser.ts'
import { type Running, Tenancy } from '../tests/support/tenants.ts'
import { verdict } from './support/figures.ts'
import { Listeners } from './support/listeners.ts'
import { quantile, table } from './support/terminal.ts'

const FILES = Number(process.argv[2]) || 100
const IN_BROWSER = 40
const BYTES = 10_000
// Longer than the page waits between two changes, and never in step with any clock.
const gapMs = () => 300 + Math.random() * 200

/** Returns when the file was closed. */
function writeAndClose(agent: Running, name: string): number {
  const file = openSync(join(agent.output, name), 'w')
  writeSync(file, crypto.getRandomValues(new Uint8Array(BYTES)))
  closeSync(file)
  return performance.now()
}

async function toListener(portal: Tenancy, agent: Running): Promise<number[]> {
  const listeners = new Listeners()
  await listeners.open([{ url: `${portal.url}/api/workspace/output/watch?agent_id=${agent.agentId}`, token: agent.token }])
  const samples: number[] = []
  for (let file = -5; file < FILES; file++) {
    const heard = listeners.expect(1)
    const closed = writeAndClose(agent, `stream-${file}.bin`)
    const { last } = await heard
    if (file >= 0) samples.push(last - closed)
    await Bun.sleep(gapMs())
  }
  listeners.end()
  return samples
}

async function toPage(portal: Tenancy, agent: Running): Promise<number[]> {
  const browser = await launchBrowser()
  try {
    const context = await browser.newContext()
    await context.addCookies([{ name: 'sac', value: agent.token, url: portal.url }])
    const page = await context.newPage()
    await page.goto(`${portal.url}/agents/${agent.agentId}`)
    await page.waitForSelector('#output .list-row')
    const samples: number[] = []
    for (let file = -3; file < IN_BROWSER; file++) {
      const name = `page-${file}.bin`
      const seen = page.evaluate(
        (wanted) =>
          new Promise<number>((resolve) => {
            const output = document.getElementById('output')
            const look = () => output?.textContent?.includes(wanted) && resolve(performance.timeOrigin + performance.now())
            if (output) new MutationObserver(look).observe(output, { childList: true, subtree: true, characterData: true })
          }),
        name,
      )
      await Bun.sleep(gapMs())
      const closed = performance.timeOrigin + writeAndClose(agent, name)
      const at = await seen
      if (file >= 0) samples.push(at - closed)
    }
    return samples
  } finally {
    await browser.close()
  }
}

/** What an upload alone costs, of a file that needs no watching. */
async function uploads(portal: Tenancy, agent: Running): Promise<number[]> {
  const samples: number[] = []
  for (let file = 0; file < FILES; file++) {
    const began = performance.now()
    await portal.upload(agent, `alone-${file}`, 'x'.repeat(BYTES))
    samples.push(performance.now() - began)
  }
  return samples
}

const portal = await Tenancy.start()
const owner = await portal.tenant('owner')
const agent = await portal.run(owner)
try {
  const listener = await toListener(portal, agent)
  const page = await toPage(portal, agent)
  const alone = await uploads(portal, agent)
  const row = (name: string, samples: number[]) => [name, ...[0.5, 0.95, 0.99].map((share) => quantile(samples, share).toFixed(0))]
  table(`a file of ${BYTES} bytes, ms from its close`, [
    ['', 'p50', 'p95', 'p99'],
    row('to a listener of the stream', listener),
    row('to the page of a browser', page),
    row(`an upload alone (quiet time ${QUIET_MS} ms comes on top)`, alone),
  ])
  table('limits', [
    verdict('to a listener, p50', quantile(listener, 0.5), 100, 'ms'),
    verdict('to a listener, p95', quantile(listener, 0.95), 200, 'ms'),
    verdict('to the page, p50', quantile(page, 0.5), 100, 'ms'),
    verdict('to the page, p95', quantile(page, 0.95), 200, 'ms'),
  ])
} finally {
  await portal.end([owner])
}
