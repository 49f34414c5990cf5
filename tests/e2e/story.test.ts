import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { silentLogger } from '../../src/lib/logger.ts'
import { ClaudeCli } from '../../src/runtime/local/cli.ts'
import { PASSWORD, startTestApp, type TestApp } from '../support/app.ts'
import { waysHere } from '../support/machine.ts'
import { startModelApi } from '../support/model-api.ts'

// The genuine CLI works in /workspace, which is there in a sandbox only.
const { ways, missing } = await waysHere()
const skip = ways.length === 0
const named = (name: string) => (missing ? `${name} (${missing})` : name)

let app: TestApp
let browser: Browser
const model = startModelApi()
const complaints: string[] = []

beforeAll(async () => {
  const cache = join(import.meta.dir, '..', '..', '.cache')
  mkdirSync(cache, { recursive: true })
  const claudeBin = await new ClaudeCli({ dataDir: cache, logger: silentLogger }).ensure(() => {})
  app = await startTestApp({ claudeBin })
  await app.as('mira')
  browser = await chromium.launch({
    executablePath: Bun.which('chromium') ?? 'chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
  })
}, 300_000)
afterAll(async () => {
  await browser?.close()
  await app?.[Symbol.asyncDispose]()
  model.stop()
})

async function newPage(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  const page = await context.newPage()
  page.on('console', (message) => {
    // Lines about answers that a test asks for, and the notice that a socket ended with the server.
    if (
      ['error', 'warning'].includes(message.type()) &&
      !/GL Driver Message|status of 4\d\d|WebSocket connection|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|net::ERR/.test(message.text())
    )
      complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  return page
}

const screen = (page: Page) =>
  page.evaluate(() => {
    const term = (
      document.querySelector('x-term') as unknown as {
        term?: { rows: number; buffer: { active: { viewportY: number; getLine(y: number): { translateToString(trim: boolean): string } | undefined } } }
      } | null
    )?.term
    if (!term) return ''
    return Array.from({ length: term.rows }, (_, row) => term.buffer.active.getLine(term.buffer.active.viewportY + row)?.translateToString(true) ?? '').join('\n')
  })

async function shows(page: Page, pattern: RegExp, timeoutMs = 60_000): Promise<void> {
  const began = Date.now()
  while (!pattern.test(await screen(page))) {
    if (Date.now() - began > timeoutMs) throw new Error(`${pattern} is not on the screen:\n${await screen(page)}`)
    await page.waitForTimeout(100)
  }
}

test.skipIf(skip)(
  named('a newcomer signs in, creates an agent, asks Claude Code for a file, and has it'),
  async () => {
    const page = await newPage()
    await page.goto(app.portal.url)
    await page.fill('#login', 'mira')
    await page.fill('#password', 'wrong')
    await page.click('button:has-text("Sign in")')
    await page.waitForSelector('[role=alert]')
    await page.fill('#password', PASSWORD)
    await page.click('button:has-text("Sign in")')
    await page.click('text=New agent')
    await page.fill('#name', 'Release notes')
    await page.fill('#anthropic_base_url', model.url)
    await page.fill('#anthropic_auth_token', 'sk-test-token-for-the-stand-in')
    await page.click('button:has-text("Create and start")')
    await page.waitForSelector('x-term[data-link=connected]', { timeout: 60_000 })
    await shows(page, /Claude Code/)
    await shows(page, /❯|> /)
    await page.click('x-term')
    await page.keyboard.type('write hello.txt with Hello from the sandbox')
    await shows(page, /Hello from the sandbox/)
    await page.keyboard.press('Enter')
    const row = page.locator('[data-path="hello.txt"]')
    await row.waitFor({ timeout: 60_000 })
    await row.click()
    await page.waitForSelector('#preview >> text=Hello from the sandbox')
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('a[aria-label="Download hello.txt"]')])
    expect(await Bun.file(await download.path()).text()).toBe('Hello from the sandbox')
    await shows(page, /The file is written/)

    await page.reload()
    await page.waitForSelector('x-term[data-link=connected]')
    await shows(page, /The file is written/)
    const second = await page.context().newPage()
    await second.goto(page.url())
    await shows(second, /The file is written/)
    await page.context().close()
  },
  180_000,
)

test.skipIf(skip)(
  named('the server is restarted and the same conversation is there'),
  async () => {
    const page = await newPage()
    await app.restart()
    await page.goto(`${app.portal.url}/login`)
    await page.fill('#login', 'mira')
    await page.fill('#password', PASSWORD)
    await page.click('button:has-text("Sign in")')
    await page.waitForSelector('x-term[data-link=connected]', { timeout: 30_000 })
    await shows(page, /The file is written/)
    await page.waitForSelector('[data-path="hello.txt"]')
    await page.context().close()
  },
  120_000,
)

test.skipIf(skip).each([
  ['light', 1440],
  ['dark', 1440],
  ['light', 390],
  ['dark', 390],
] as const)(
  'every page is clean in %s at %i px',
  async (colorScheme, width) => {
    const page = await newPage({ colorScheme, viewport: { width, height: 844 } })
    await page.goto(`${app.portal.url}/register`)
    await page.goto(`${app.portal.url}/login`)
    await page.fill('#login', 'mira')
    await page.fill('#password', PASSWORD)
    await page.click('button:has-text("Sign in")')
    await page.waitForSelector('x-term[data-link=connected]')
    for (const path of ['/agents/new', '/account', '/agents/99999', `${new URL(page.url()).pathname}/edit`]) {
      await page.goto(app.portal.url + path)
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true)
    }
    expect(complaints).toEqual([])
    await page.context().close()
  },
  60_000,
)
