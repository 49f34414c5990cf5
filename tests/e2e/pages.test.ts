// Every page of a real portal, in both themes and on both sizes: no complaint of the browser, nothing that axe finds,
// nothing that overflows; names that look like markup are shown as they are and do nothing.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { until } from '../../src/lib/until.ts'
import { PASSWORD, type Person, startTestApp, type TestApp } from '../support/app.ts'
import { launchBrowser, openPage } from '../support/browser.ts'
import { problemsOf, SCREENS, screenOptions } from '../support/page-check.ts'

setDefaultTimeout(90_000)
// Markup, attributes of htmx in both spellings, a turn of the writing direction, and characters of several code points.
const NAME = '"><img src=/steal-img onerror=alert(1)><b hx-get="/steal" data-hx-get="/steal-data" hx-trigger="load">👩‍👩‍👧 שלום'
const FILE = '"><b hx-get="_steal" data-hx-get="_steal" hx-trigger="load"> \u202Egnp.exe 👩‍👩‍👧.md'
const LONG = `${'ä'.repeat(123)}-long.txt`
let app: TestApp
let browser: Browser
let mira: Person
let hostile: number

beforeAll(async () => {
  app = await startTestApp()
  mira = await app.as('mira')
  const user = await app.portal.context.users.checkPassword('mira', PASSWORD, 'test')
  await app.portal.context.users.setPreferences(user, { displayName: NAME })
  await mira.startAgent(await mira.createAgent('Quarterly report'))
  const made = await mira.ask<{ id: number }>('POST', '/api/agents', { name: NAME.slice(0, 100), description: NAME, instructions: `${NAME}</textarea><script>alert(2)</script>` })
  expect(made.status).toBe(201)
  hostile = made.body.id
  await mira.startAgent(hostile)
  const output = new Bun.Glob(`sandboxes/*-${hostile}/workspace/output`)
  const [folder = ''] = [...output.scanSync({ cwd: app.dataDir, onlyFiles: false, dot: true })]
  for (const name of [FILE, LONG]) writeFileSync(join(app.dataDir, folder, name), `<script>alert(3)</script> ${NAME}`)
  await until(async () => (await mira.ask<{ total_files: number }>('GET', `/api/workspace/output/files?agent_id=${hostile}`)).body.total_files === 2, {
    timeoutMs: 20_000,
    what: 'the files',
  })
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await app?.[Symbol.asyncDispose]()
})

test.each(SCREENS)('every page is clean, accessible and fits in %s at %i px', async (colorScheme, width) => {
  const phone = width < 500
  await using watched = await openPage(browser, screenOptions(colorScheme, width), /status of (404|401|422)/)
  const { page, complaints } = watched
  const stolen: string[] = []
  page.on('request', (request) => {
    if (/steal/.test(new URL(request.url()).pathname)) stolen.push(request.url())
  })
  const found: string[] = []
  const look = async (name: string) => void found.push(...(await problemsOf(page, name)))

  await page.goto(`${app.portal.url}/register`)
  await look('register')
  await page.goto(`${app.portal.url}/login`)
  await look('login')
  await page.fill('#login', 'mira')
  await page.fill('#password', 'not the phrase')
  await page.keyboard.press('Enter')
  await page.locator('#login-error').waitFor()
  await look('login refused')
  await page.fill('#password', PASSWORD)
  await page.keyboard.press('Enter')
  await page.waitForSelector('.terminal-slot x-term[data-link=connected]')
  await look('workbench')

  await page.goto(`${app.portal.url}/agents/${hostile}`)
  await page.waitForSelector('.terminal-slot x-term[data-link=connected]')
  if (phone) await page.click('.topbar [aria-label="Output"]')
  const rows = page.locator('#output [data-path]')
  expect((await rows.locator('.truncate').allTextContents()).sort()).toEqual([FILE, LONG].sort())
  await rows.first().click()
  await page.locator('#preview .content').waitFor()
  expect(await page.locator('#preview .text-preview').textContent()).toContain('<script>alert(3)</script>')
  await look('output with odd names')
  for (const path of ['/agents/new', `/agents/${hostile}/edit`, '/account', '/agents/99999', '/nowhere']) {
    await page.goto(app.portal.url + path)
    await look(path.replace(String(hostile), 'ID'))
  }
  await page.goto(`${app.portal.url}/account`)
  expect(await page.locator('.profile dd').first().textContent()).toBe(NAME)
  await page.goto(`${app.portal.url}/agents/new`)
  await page.getByRole('button', { name: 'Create and start' }).click()
  await page.locator('#name-error').waitFor()
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('name')
  await look('agent form, refused')
  expect(found).toEqual([])
  expect(stolen).toEqual([])
  expect(complaints).toEqual([])
})
