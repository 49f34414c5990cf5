// Every page in a real browser, in both themes and on both sizes: nothing is complained about, nothing overflows,
// and people with screen readers or keyboards find everything.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import axe from 'axe-core'
import type { Browser } from 'playwright-core'
import { launchBrowser, openPage } from '../support/browser.ts'
import { Gallery } from '../support/gallery.ts'
import { samplePages } from '../support/sample-pages.tsx'

setDefaultTimeout(60_000)
let browser: Browser
let gallery: Gallery
const NAMES = Object.keys(samplePages({ organisation: '', nonce: '', asset: () => '', theme: 'system' }))
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

beforeAll(async () => {
  gallery = await Gallery.start()
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await gallery?.[Symbol.asyncDispose]()
})

test.each([
  ['light', 1440],
  ['dark', 1440],
  ['light', 390],
  ['dark', 390],
] as const)('every page is clean, accessible and fits in %s at %i px', async (colorScheme, width) => {
  const phone = width < 500
  await using watched = await openPage(browser, { colorScheme, viewport: { width, height: phone ? 844 : 900 }, hasTouch: phone, isMobile: phone }, /error-404/)
  const { page, complaints } = watched
  const found: string[] = []
  for (const name of NAMES) {
    await page.goto(`${gallery.url}/${name}`)
    if (await page.locator('.terminal-slot').count()) await page.waitForSelector('x-term[data-link=connected]')
    if ((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) > 0) found.push(`${name} overflows`)
    await page.evaluate(axe.source)
    // The colours of the terminal's content are the program's own.
    const { violations } = await page.evaluate(
      (tags) => (window as unknown as { axe: typeof axe }).axe.run({ exclude: ['.xterm'] }, { runOnly: { type: 'tag', values: tags } }),
      TAGS,
    )
    for (const { id, nodes } of violations) found.push(`${name}: ${id} ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`)
  }
  expect(found).toEqual([])
  expect(complaints).toEqual([])
})
