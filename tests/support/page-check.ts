// What is looked for on every page: axe's findings, and content that does not fit.
import axe from 'axe-core'
import type { BrowserContextOptions, Page } from 'playwright-core'

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** The themes and widths that every page is looked at in. */
export const SCREENS = [
  ['light', 1440],
  ['dark', 1440],
  ['light', 390],
  ['dark', 390],
] as const

/** A browser of that theme and width; a narrow one is a phone. */
export function screenOptions(colorScheme: 'light' | 'dark', width: number): BrowserContextOptions {
  const phone = width < 500
  return { colorScheme, viewport: { width, height: phone ? 844 : 900 }, hasTouch: phone, isMobile: phone }
}

/** Problems of the page as it is now, each as a line that begins with `name`. */
export async function problemsOf(page: Page, name: string): Promise<string[]> {
  const found: string[] = []
  if ((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) > 0) found.push(`${name} overflows`)
  await page.evaluate(axe.source)
  // The colours of the terminal's content are the program's own.
  const { violations } = await page.evaluate(
    (tags) => (window as unknown as { axe: typeof axe }).axe.run({ exclude: ['.xterm'] }, { runOnly: { type: 'tag', values: tags } }),
    TAGS,
  )
  return [...found, ...violations.map(({ id, nodes }) => `${name}: ${id} ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`)]
}
