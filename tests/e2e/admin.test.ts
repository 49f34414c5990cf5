// An admin's walk through the admin area in a real browser: by keys, in both themes and on both sizes, while agents change.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { type Person, startTestApp, type TestApp } from '../support/app.ts'
import { launchBrowser, openPage } from '../support/browser.ts'
import { problemsOf, screenOptions } from '../support/page-check.ts'

setDefaultTimeout(90_000)
const NAME = '"><b hx-get="/steal">Nightly audit</b> 👩‍👩‍👧'
let app: TestApp
let browser: Browser
let mira: Person
let agentId: number

beforeAll(async () => {
  app = await startTestApp()
  await app.admin()
  mira = await app.as('mira')
  agentId = await mira.createAgent(NAME)
  await mira.createAgent('Docs site')
  await mira.startAgent(agentId)
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await app?.[Symbol.asyncDispose]()
})

test('an admin finds an agent, restarts and stops it with a word to its owner, and sees the list change by itself; all of it by keys', async () => {
  await using watched = await openPage(browser)
  const { page, complaints } = watched
  await app.signIn(page, 'admin')
  await page.keyboard.press('g')
  await page.keyboard.press('a')
  await page.waitForURL(/\/admin\/agents$/)
  const rows = page.locator('#fleet tbody tr')
  await rows.first().waitFor()
  expect(await rows.count()).toBe(2)
  expect(await rows.first().textContent()).toContain(NAME)

  await page.getByLabel('Find an agent or its owner').focus()
  await page.keyboard.type('docs')
  await page.keyboard.press('Enter')
  await page.waitForURL(/q=docs/)
  expect(await rows.count()).toBe(1)
  await page.locator('.nav a[href="/admin/agents"]').first().focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/admin\/agents$/)

  // The menu of a row has its arrow keys, and asks before it does something.
  await page.getByRole('button', { name: `Actions for ${NAME}` }).focus()
  await page.keyboard.press('Enter')
  await page.locator(`#actions-${agentId} [role=menuitem]:focus`).waitFor()
  await page.keyboard.press('End')
  await page.keyboard.press('Home')
  await page.keyboard.press('Enter')
  await page.waitForURL(new RegExp(`/admin/agents/${agentId}$`))
  expect(await page.locator('h1:visible').textContent()).toBe(NAME)
  await page.locator('.starts > li').first().waitFor()

  await page.getByLabel('Why: words for its owner, with Stop').focus()
  await page.keyboard.type('The disk is changed.')
  await page.keyboard.press('Enter')
  await page.locator('#confirm[open]').waitFor()
  expect(await page.locator('#confirm-title').textContent()).toBe(`Stop “${NAME}” of mira?`)
  // Focus begins on Cancel.
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByText('Stopped by an admin. The disk is changed.').waitFor()

  await page.goto(`${app.portal.url}/admin/agents`)
  await page.locator(`#agent-${agentId} .state[data-state=stopped]`).waitFor()
  // What is chosen stays chosen, and what has focus keeps it, while the table changes below the hand.
  await page.locator(`#agent-${agentId} input[type=checkbox]`).check()
  await page.getByRole('button', { name: `Actions for ${NAME}` }).focus()
  await mira.startAgent(agentId)
  await page.locator(`#agent-${agentId} .state[data-state=running]`).waitFor()
  expect(await page.locator(`#agent-${agentId} input[type=checkbox]`).isChecked()).toBe(true)
  expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(`Actions for ${NAME}`)
  expect(complaints).toEqual([])
})

test.each([
  ['light', 1440],
  ['dark', 390],
] as const)('its pages are clean, accessible and fit in %s at %i px, and lead back to the workbench', async (colorScheme, width) => {
  const phone = width < 500
  await using watched = await openPage(browser, screenOptions(colorScheme, width))
  const { page, complaints } = watched
  await app.signIn(page, 'admin')
  const found: string[] = []
  for (const path of ['/admin/agents', '/admin/agents?state=failed&q=nothing', `/admin/agents/${agentId}`]) {
    await page.goto(app.portal.url + path)
    found.push(...(await problemsOf(page, path)))
  }
  expect(found).toEqual([])
  if (phone) await page.getByRole('button', { name: 'Menu' }).click()
  await page
    .locator(phone ? 'dialog#menu' : 'aside.sidebar')
    .getByRole('link', { name: 'Back to workbench' })
    .click()
  await page.waitForURL((url) => !url.pathname.startsWith('/admin'))
  expect(await page.locator('aside.sidebar .agents').count()).toBe(1)
  expect(complaints).toEqual([])
})

test('somebody who is no admin is not shown the way, and is told so at the door', async () => {
  await using watched = await openPage(browser, {}, /status of 403/)
  const { page } = watched
  await app.signIn(page, 'mira')
  expect(await page.locator('a[href^="/admin"]').count()).toBe(0)
  const answer = await page.goto(`${app.portal.url}/admin/agents/${agentId}`)
  expect(answer?.status()).toBe(403)
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('You may not open this')
  expect(await page.content()).not.toContain('Nightly audit')
})
