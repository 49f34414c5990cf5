// The main job as a newcomer does it: the genuine CLI, a portal in a process of its own, a real browser.
// Only the model's API is stood in for, on loopback.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { installEnvironment } from '../../src/config.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { until } from '../../src/lib/until.ts'
import { ClaudeCli } from '../../src/runtime/local/cli.ts'
import { launchBrowser, openPage, screenOf } from '../support/browser.ts'
import { waysHere } from '../support/machine.ts'
import { startModelApi } from '../support/model-api.ts'
import { PortalProcess } from '../support/portal-process.ts'
import { below } from '../support/processes.ts'

// The genuine CLI works in /workspace, which is there in a sandbox only.
const { ways, missing } = await waysHere()
const skip = ways.length === 0
const named = (name: string) => (missing ? `${name} (${missing})` : name)

setDefaultTimeout(240_000)
let portal: PortalProcess
let browser: Browser
let admin: string
const model = startModelApi()
const PASSWORD = 'a phrase for the story'

beforeAll(async () => {
  if (skip) return
  const cache = join(import.meta.dir, '..', '..', '.cache')
  mkdirSync(cache, { recursive: true })
  const claude = await new ClaudeCli({ dataDir: cache, installEnvironment: installEnvironment(), logger: silentLogger }).ensure(() => {})
  portal = await PortalProcess.start({ CLAUDE_BIN: claude, ORGANISATION: 'Nordwind' })
  admin = await portal.signIn('admin', portal.adminPassword)
  await portal.ask(admin, 'PUT', '/api/admin/settings/registration_mode', { value: 'open' })
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await portal?.[Symbol.asyncDispose]()
  model.stop()
})

const shows = (page: Page, pattern: RegExp) =>
  until(async () => pattern.test(await screenOf(page)), { timeoutMs: 60_000, intervalMs: 100, what: `${pattern} on the screen` }).catch(async (error: Error) => {
    throw new Error(`${error.message}. It shows:\n${await screenOf(page)}`)
  })

async function ask(page: Page, prompt: string): Promise<void> {
  await page.locator('.terminal-slot x-term').click()
  await page.keyboard.type(prompt)
  await shows(page, new RegExp(prompt.slice(-20).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
  await page.keyboard.press('Enter')
}

/** The one file of this name in the sandboxes' own output folders. */
function inSandbox(name: string): Buffer {
  const root = join(portal.dataDir, 'data', 'sandboxes')
  const found = readdirSync(root, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith(join('workspace', 'output', name)))
  return readFileSync(join(root, found ?? name))
}

async function signIn(page: Page): Promise<void> {
  await page.fill('#login', 'mira')
  await page.fill('#password', PASSWORD)
  await page.keyboard.press('Enter')
}

test.skipIf(skip)(named('a newcomer registers, signs in, creates an agent, has a file written, and loses nothing to a killed server'), async () => {
  // The refused password, and the minutes in which there is no server.
  const expected = /status of 401|WebSocket connection|net::ERR_|Failed to fetch|ERR_CONNECTION|INCOMPLETE_CHUNKED|htmx:sse:error/
  await using watched = await openPage(browser, { acceptDownloads: true }, expected)
  const { page, complaints } = watched
  page.setDefaultTimeout(30_000)

  await page.goto(portal.url)
  await page.click('text=Create an account')
  await page.fill('#email', 'mira@nordwind.example')
  await page.fill('#username', 'mira')
  await page.fill('#display_name', 'Mira Kessler')
  await page.fill('#password', PASSWORD)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Create your first agent' }).waitFor()
  await page.click('aside .account')
  await page.getByRole('menuitem', { name: 'Sign out' }).click()

  await page.fill('#login', 'mira')
  await page.fill('#password', 'not the phrase')
  await page.keyboard.press('Enter')
  await page.locator('#login-error').waitFor()
  expect(await page.inputValue('#login')).toBe('mira')
  await signIn(page)

  await page.getByRole('link', { name: 'All options' }).click()
  await page.waitForURL('**/agents/new')
  await page.getByRole('heading', { name: 'Model' }).waitFor()
  await page.fill('#name', 'Release notes')
  await page.fill('#anthropic_base_url', model.url)
  await page.fill('#anthropic_auth_token', 'sk-test-token-for-the-stand-in')
  await page.getByRole('button', { name: 'Create and start' }).click()
  await page.waitForSelector('.terminal-slot x-term[data-link=connected]')
  await shows(page, /Claude Code/)
  await shows(page, /❯/)

  // A mark that a reload would take away.
  await page.evaluate(() => Object.assign(window, { sameDocument: true }))
  await ask(page, 'write hello.txt with Hello from the sandbox')
  const row = page.locator('#output [data-path="hello.txt"]')
  await row.waitFor()
  expect(await row.getAttribute('class')).toContain('arrived')
  await row.click()
  await page.locator('#preview .text-preview', { hasText: 'Hello from the sandbox' }).waitFor()
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('a[aria-label="Download hello.txt"]')])
  expect(inSandbox('hello.txt').equals(readFileSync(await download.path()))).toBe(true)
  expect(inSandbox('hello.txt').toString()).toBe('Hello from the sandbox')
  await shows(page, /The file is written/)
  expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true)

  await page.reload()
  await shows(page, /Hello from the sandbox[\s\S]*The file is written/)
  const second = await page.context().newPage()
  await second.goto(page.url())
  await shows(second, /Hello from the sandbox[\s\S]*The file is written/)
  await ask(second, 'tell me something')
  await shows(page, /tell me something[\s\S]*Understood/)
  await second.close()

  const [cli] = below(portal.processes(), 'claude')
  expect(cli).toBeGreaterThan(1)
  await page.evaluate(() => Object.assign(window, { sameDocument: true }))
  await portal.end('SIGKILL')
  await page.waitForSelector('.terminal-slot x-term:not([data-link=connected])')
  await page.locator('.term-curtain', { hasText: 'Your agent goes on working' }).waitFor()
  await page.locator('[data-live]', { hasText: 'Offline' }).waitFor()
  await portal.start()
  await page.waitForSelector('.terminal-slot x-term[data-link=connected]')
  await page.locator('[data-live]', { hasText: 'Live' }).waitFor()
  expect(below(portal.processes(), 'claude')).toEqual([cli as number])
  await shows(page, /Hello from the sandbox[\s\S]*Understood/)
  await ask(page, 'write after.txt with Written after the kill')
  await page.locator('#output [data-path="after.txt"]').waitFor()
  expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true)

  await page.reload()
  await shows(page, /Hello from the sandbox[\s\S]*Written after the kill/)
  await page.locator('#output [data-path="hello.txt"]').click()
  await page.locator('#preview .text-preview', { hasText: 'Hello from the sandbox' }).waitFor()
  expect(complaints).toEqual([])
})

test.skipIf(skip)(named('a change that needs a restart says so, and the restarted agent goes on with its conversation'), async () => {
  await using watched = await openPage(browser)
  const { page, complaints } = watched
  page.setDefaultTimeout(30_000)
  await page.goto(portal.url)
  await signIn(page)
  await page.waitForSelector('.terminal-slot x-term[data-link=connected]')
  const [before] = below(portal.processes(), 'claude')
  await page.click('#stage-bar [aria-label="Agent actions"]')
  await page.getByRole('menuitem', { name: 'Edit agent' }).click()
  await page.fill('#name', 'Weekly notes')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.locator('#stage-bar h1', { hasText: 'Weekly notes' }).waitFor()
  expect(await page.getByRole('button', { name: 'Restart now' }).count()).toBe(0)
  expect(below(portal.processes(), 'claude')).toEqual([before as number])

  await page.click('#stage-bar [aria-label="Agent actions"]')
  await page.getByRole('menuitem', { name: 'Edit agent' }).click()
  await page.fill('#anthropic_haiku_model', 'claude-haiku-4-5')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('button', { name: 'Restart now' }).click()
  await until(() => below(portal.processes(), 'claude').some((pid) => pid !== before), { timeoutMs: 60_000, what: 'another CLI' })
  await page.waitForSelector('.terminal-slot x-term[data-link=connected]')
  await shows(page, /Written after the kill/)
  expect(await page.getByRole('button', { name: 'Restart now' }).count()).toBe(0)
  expect(complaints).toEqual([])
})
