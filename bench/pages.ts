// What the pages cost a browser: bytes, first paint, blocking, shifts and heap, on a slow line with a slow processor.
import type { Browser, CDPSession, Page } from 'playwright-core'
import { buildStatic } from '../static/build.ts'
import { launchBrowser } from '../tests/support/browser.ts'
import { PortalProcess } from '../tests/support/portal-process.ts'
import { pause } from './support/terminal.ts'

const RUNS = Number(process.argv[2]) || 5
// 10 Mbit/s each way, 40 ms there and back, a processor that is four times slower.
const LINE = { offline: false, latency: 40, downloadThroughput: 1_250_000, uploadThroughput: 1_250_000 }
const SLOWER = 4
const SETTLE_MS = 1500
const KIB = 1024

interface Figures {
  /** Compressed bytes of everything that was loaded. */
  kib: number
  firstPaintMs: number
  /** Sum of what tasks took beyond 50 ms. */
  blockingMs: number
  shift: number
  heapMb: number
}

interface Case {
  name: string
  path: string
  limitKib: number
  /** What the page waits for before it counts as complete. */
  complete: string
}

/** What the page notes about itself while it loads. */
interface Noted {
  blockingMs: number
  shift: number
}

async function measure(browser: Browser, origin: string, token: string, { path, complete }: Case): Promise<Figures> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, serviceWorkers: 'block' })
  try {
    if (token) await context.addCookies([{ name: 'sac', value: token, url: origin, httpOnly: true, sameSite: 'Lax' }])
    const page = await context.newPage()
    const cdp = await context.newCDPSession(page)
    const bytes = await countBytes(cdp)
    await page.addInitScript(noteTasks)
    await cdp.send('Network.setCacheDisabled', { cacheDisabled: true })
    await cdp.send('Network.emulateNetworkConditions', LINE)
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: SLOWER })
    await page.goto(origin + path, { waitUntil: 'load' })
    await page.waitForSelector(complete, { timeout: 30_000 })
    await pause(SETTLE_MS)
    const { blockingMs, shift } = await page.evaluate(() => (window as unknown as { noted: Noted }).noted)
    const firstPaintMs = await firstPaint(page)
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: 1 })
    return { kib: bytes() / KIB, firstPaintMs, blockingMs, shift, heapMb: (await heapBytes(cdp)) / 1e6 }
  } finally {
    await context.close()
  }
}

// Of answers that have ended and of those that go on: an event stream never ends.
async function countBytes(cdp: CDPSession): Promise<() => number> {
  const sizes = new Map<string, number>()
  await cdp.send('Network.enable')
  cdp.on('Network.dataReceived', ({ requestId, encodedDataLength }) => sizes.set(requestId, (sizes.get(requestId) ?? 0) + encodedDataLength))
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => sizes.set(requestId, encodedDataLength))
  return () => [...sizes.values()].reduce((sum, size) => sum + size, 0)
}

// Runs in the page, before everything of its own.
function noteTasks(): void {
  const noted = { blockingMs: 0, shift: 0 }
  Object.assign(window, { noted })
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) noted.blockingMs += Math.max(0, duration - 50)
  }).observe({ type: 'longtask', buffered: true })
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) noted.shift += (entry as PerformanceEntry & { value: number }).value
  }).observe({ type: 'layout-shift', buffered: true })
}

function firstPaint(page: Page): Promise<number> {
  return page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.POSITIVE_INFINITY)
}

async function heapBytes(cdp: CDPSession): Promise<number> {
  await cdp.send('HeapProfiler.enable')
  for (let round = 0; round < 3; round++) await cdp.send('HeapProfiler.collectGarbage')
  return (await cdp.send('Runtime.getHeapUsage')).usedSize
}

function median(values: number[]): number {
  return values.sort((one, other) => one - other)[values.length >> 1] ?? 0
}

function report(what: string, value: number, limit: number, unit: string, digits = 0): boolean {
  const reached = value <= limit
  process.stdout.write(`  ${what.padEnd(24)} ${value.toFixed(digits).padStart(8)} ${unit.padEnd(4)} limit ${String(limit).padStart(5)}  ${reached ? 'OK' : 'MISSED'}\n`)
  return reached
}

async function examine(browser: Browser, origin: string, token: string, { limitKib, ...page }: Case): Promise<boolean> {
  const runs: Figures[] = []
  for (let run = 0; run < RUNS; run++) runs.push(await measure(browser, origin, token, { limitKib, ...page }))
  const of = (key: keyof Figures) => median(runs.map((figures) => figures[key]))
  process.stdout.write(`${page.name}, median of ${RUNS}, 10 Mbit/s, 40 ms, processor ${SLOWER} times slower\n`)
  return [
    report('transferred', of('kib'), limitKib, 'KiB', 1),
    report('first paint', of('firstPaintMs'), 600, 'ms'),
    report('blocking', of('blockingMs'), 200, 'ms'),
    report('layout shift', of('shift'), 0.02, '', 4),
    report('heap after collection', of('heapMb'), 5, 'MB', 2),
  ].every(Boolean)
}

await buildStatic()
await using portal = await PortalProcess.start({ CLAUDE_BIN: '/bin/bash' })
const token = await portal.signIn('admin', portal.adminPassword)
const agentId = await portal.runningAgent(token, 'Quarterly report')
const browser = await launchBrowser()
try {
  const login = await examine(browser, portal.url, '', { name: 'Login', path: '/login', limitKib: 50, complete: '#password' })
  const workbench = await examine(browser, portal.url, token, {
    name: 'Workbench with its terminal',
    path: `/agents/${agentId}`,
    limitKib: 160,
    complete: 'x-term[data-link=connected]',
  })
  process.exitCode = login && workbench ? 0 : 1
} finally {
  await browser.close()
}
