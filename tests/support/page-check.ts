// What is looked for on every page: axe's findings, and content that does not fit.
import axe from 'axe-core'
import type { Page } from 'playwright-core'

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

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
