// Every page in a real browser, in both themes and on both sizes: nothing is complained about, nothing overflows,
// and people with screen readers or keyboards find everything.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { launchBrowser, openPage } from '../support/browser.ts'
import { Gallery } from '../support/gallery.ts'
import { problemsOf, SCREENS, screenOptions } from '../support/page-check.ts'
import { samplePages } from '../support/sample-pages.tsx'

setDefaultTimeout(60_000)
let browser: Browser
let gallery: Gallery
const NAMES = Object.keys(samplePages({ organisation: '', nonce: '', asset: () => '', theme: 'system' }))

beforeAll(async () => {
  gallery = await Gallery.start()
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await gallery?.[Symbol.asyncDispose]()
})

test.each(SCREENS)('every page is clean, accessible and fits in %s at %i px', async (colorScheme, width) => {
  await using watched = await openPage(browser, screenOptions(colorScheme, width), /error-404/)
  const { page, complaints } = watched
  const found: string[] = []
  for (const name of NAMES) {
    await page.goto(`${gallery.url}/${name}`)
    if (await page.locator('.terminal-slot').count()) await page.waitForSelector('x-term[data-link=connected]')
    found.push(...(await problemsOf(page, name)))
  }
  expect(found).toEqual([])
  expect(complaints).toEqual([])
})
