// The settings' form and a rollout's page in Chromium: what is refused, what is saved, and a progress that nobody reloads.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { until } from '../../src/lib/until.ts'
import type { Person, TestApp } from '../support/app.ts'
import { launchBrowser, openPage } from '../support/browser.ts'
import { problemsOf, SCREENS, screenOptions } from '../support/page-check.ts'
import { startImageApp } from './image-app.ts'
import { MISSING, NEW } from './image-runtime.ts'

setDefaultTimeout(90_000)
let app: TestApp
let browser: Browser
let alice: Person
beforeAll(async () => {
  app = (await startImageApp()).app
  alice = await app.as('alice')
  await app.admin()
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await app?.[Symbol.asyncDispose]()
})

test('a bad value is marked at its field and nothing is saved; a good one is, and a reset goes back to what is inherited', async () => {
  await using watched = await openPage(browser, {}, /status of 422/)
  const { page, complaints } = watched
  const stored = async (key: string) => (await app.portal.context.settings.all()).find((setting) => setting.key === key)
  await app.signIn(page, 'admin')
  await page.goto(`${app.portal.url}/admin/settings`)
  expect(await page.isVisible('.savebar')).toBe(false)
  await page.fill('#agent_storage_size', '10GG')
  await page.fill('#max_agents_per_user', '6')
  expect(await page.textContent('.savebar')).toContain('2 unsaved changes')
  expect(await page.textContent('[data-changed-names]')).toBe('Agents per person, Volume')
  await page.click('.savebar [type=submit]')
  await page.waitForSelector('#agent_storage_size-error')
  expect(await page.textContent('#agent_storage_size-error')).toContain('Give an amount like 10Gi, not “10GG”.')
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('agent_storage_size')
  expect(await page.inputValue('#max_agents_per_user')).toBe('6')
  expect(await stored('max_agents_per_user')).toMatchObject({ value: 3, changed: false })
  await page.fill('#agent_storage_size', '20Gi')
  await page.click('.savebar [type=submit]')
  await page.waitForSelector('text=Saved')
  expect(await stored('max_agents_per_user')).toMatchObject({ value: 6 })
  expect(await stored('agent_storage_size')).toMatchObject({ value: '20Gi' })
  await page.click('[data-reset-setting=agent_storage_size]')
  expect(await page.inputValue('#agent_storage_size')).toBe('10Gi')
  await page.click('.savebar [type=submit]')
  await until(async () => !(await stored('agent_storage_size'))?.changed, { what: 'a value that is inherited again' })
  // Another admin was faster.
  await page.waitForSelector('text=Saved')
  await app.portal.context.settings.set('max_agents_per_user', 9, undefined)
  await page.fill('#max_agents_per_user', '7')
  await page.click('.savebar [type=submit]')
  await page.waitForSelector('#max_agents_per_user-error')
  expect(await page.textContent('#max_agents_per_user-error')).toContain('Somebody has changed this to “9” meanwhile.')
  expect(await stored('max_agents_per_user')).toMatchObject({ value: 9 })
  await page.fill('[data-find-setting]', 'gvisor')
  expect(await page.isVisible('#agent_runtime_class')).toBe(true)
  expect(await page.isVisible('#max_agents_per_user')).toBe(false)
  expect(complaints).toEqual([])
})

test('agents are chosen in the list, get another image, and the page follows; one that fails says why and runs its old image', async () => {
  const ids = [await alice.createAgent('First'), await alice.createAgent('Second')]
  for (const id of ids) await alice.startAgent(id)
  await using watched = await openPage(browser)
  const { page, complaints } = watched
  await app.signIn(page, 'admin')
  const change = async (image: string, chosen: number[]) => {
    await page.goto(`${app.portal.url}/admin/agents`)
    for (const id of chosen) await page.check(`input[name=ids][value="${id}"]`)
    await page.click('button:has-text("Change image")')
    await page.waitForSelector('#agents')
    expect(await page.inputValue('#agents')).toBe('chosen')
    expect(await page.locator('input[name=ids]').count()).toBe(chosen.length)
    await page.fill('#image', image)
    await page.fill('#wave_size', '1')
    await page.fill('#wait_minutes', '0')
    await Promise.all([page.waitForURL(/\/admin\/rollouts\/\d+$/), page.click('button:has-text("Begin")')])
  }
  await change(NEW, ids)
  await page.waitForSelector('.rollout-head >> text=Done', { timeout: 40_000 })
  await page.waitForSelector('.rollout-head >> text=2 of 2')
  for (const id of ids) expect((await app.portal.context.agents.present(id))?.startedImage).toBe(NEW)
  await change(MISSING, ids.slice(0, 1))
  await page.waitForSelector('td >> text=It runs its old image again', { timeout: 40_000 })
  expect(await page.textContent('tbody')).toContain('The agent’s image was not found')
  await page.goto(`${app.portal.url}/admin/rollouts`)
  expect(await page.locator('tbody tr').count()).toBe(2)
  expect(complaints).toEqual([])
})

test.each(SCREENS)('the pages are clean, accessible and fit in %s at %i px', async (colorScheme, width) => {
  await using watched = await openPage(browser, screenOptions(colorScheme, width))
  const { page, complaints } = watched
  await app.signIn(page, 'admin')
  const found: string[] = []
  for (const path of ['settings', 'rollouts', 'rollouts/new', 'rollouts/1', 'agents']) {
    await page.goto(`${app.portal.url}/admin/${path}`)
    found.push(...(await problemsOf(page, path)))
  }
  expect(found).toEqual([])
  expect(complaints).toEqual([])
})
