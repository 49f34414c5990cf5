// The main job in a cluster, with a browser: sign in, an agent, the genuine CLI in its pod, a file appears, the pod is killed, work goes on.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { until } from '../../src/lib/until.ts'
import { launchBrowser, openPage, screenOf } from '../support/browser.ts'
import { InstalledPortal } from './portal.ts'
import { kubectl } from './shell.ts'

setDefaultTimeout(240_000)

let portal: InstalledPortal
let browser: Browser
beforeAll(async () => {
  portal = await InstalledPortal.givenOr('k8s-story', '--set', 'server.replicas=1')
  const [replica = ''] = await portal.replicas()
  const { port } = new URL(await portal.url(replica))
  // The portal's name leads to the way into the cluster.
  browser = await launchBrowser([`--host-resolver-rules=MAP sac.test:80 127.0.0.1:${port}`])
}, 280_000)
afterAll(() => browser?.close())

const shows = (page: Page, pattern: RegExp) =>
  until(async () => pattern.test(await screenOf(page)), { timeoutMs: 60_000, intervalMs: 100, what: `${pattern} on the screen` }).catch(async (error: Error) => {
    throw new Error(`${error.message}. It shows:\n${await screenOf(page)}`)
  })

async function shell(page: Page, command: string): Promise<void> {
  await page.locator('.terminal-slot x-term').click()
  await page.keyboard.type(`!${command}`)
  await shows(page, new RegExp(command.slice(-10).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
  await page.keyboard.press('Enter')
}

test('sign in, agent, genuine CLI in the pod, file appears, pod killed, on it goes with the conversation and the files', async () => {
  // The way through the tunnel breaks with the pod, and plain http has no isolated origins.
  await using watched = await openPage(browser, {}, /WebSocket connection|htmx:sse:error|net::ERR_|Cross-Origin-Opener-Policy/)
  const { page, complaints } = watched
  page.setDefaultTimeout(60_000)
  await page.goto('http://sac.test/')
  await page.fill('#login', 'admin')
  await page.fill('#password', await portal.adminPassword())
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: 'All options' }).click()
  await page.waitForURL('**/agents/new')
  await page.fill('#name', 'Release notes')
  await page.getByRole('button', { name: 'Create and start' }).click()
  await page.waitForSelector('.terminal-slot x-term[data-link=connected]')
  await shows(page, /Claude Code/)
  await shows(page, /❯/)

  await shell(page, 'echo from-the-pod > output/pod.txt; cat output/pod.txt')
  await page.locator('#output [data-path="pod.txt"]').click()
  await page.locator('#preview .text-preview', { hasText: 'from-the-pod' }).waitFor()

  const name = (await kubectl('get', 'pods', '-n', portal.agents, '-l', 'app=claude-code', '-o', 'jsonpath={.items[0].metadata.name}')).trim()
  await kubectl('delete', 'pod', '-n', portal.agents, '--grace-period=0', '--force', name)
  await page.locator('.callout', { hasText: 'came back by itself' }).waitFor()
  await page.waitForSelector('.terminal-slot x-term[data-link=connected]')
  // The CLI goes on with the conversation that it had.
  await shows(page, /from-the-pod[\s\S]*❯/)
  await shell(page, 'cat output/pod.txt | tr a-z A-Z')
  await shows(page, /FROM-THE-POD/)
  expect(complaints).toEqual([])
})
