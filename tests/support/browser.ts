// Chromium for tests of pages: one browser per file, a context per test, and a list of everything that it complained about.
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { chromium } from 'playwright-core'

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts the system's Chromium, with `more` switches. */
export function launchBrowser(more: string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: Bun.which('chromium') ?? Bun.which('chromium-browser') ?? 'chromium', headless: true, args: [...ARGS, ...more] })
}

/** A page with its complaints: console errors and warnings, violations of the policy, errors of scripts. */
export interface WatchedPage {
  page: Page
  complaints: string[]
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens a page of a fixed size. `expected` are complaints that the test provokes. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}, expected?: RegExp): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    deviceScaleFactor: 1,
    reducedMotion: 'reduce',
    timezoneId: 'UTC',
    locale: 'en-GB',
    ...options,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const complaints: string[] = []
  page.on('console', (message) => {
    const text = `${message.text()} ${message.location().url}`
    if (['error', 'warning'].includes(message.type()) && !/GL Driver Message/.test(text) && !expected?.test(text)) complaints.push(text)
  })
  page.on('pageerror', (error) => complaints.push(error.stack ?? error.message))
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() }
}

/** What the terminal of the page shows. */
export function screenOf(page: Page): Promise<string> {
  return page.evaluate(() => {
    interface Emulator {
      rows: number
      buffer: { active: { viewportY: number; getLine(y: number): { translateToString(trim: boolean): string } | undefined } }
    }
    const term = (document.querySelector('.terminal-slot x-term') as { term?: Emulator } | null)?.term
    if (!term) return ''
    const { active } = term.buffer
    return Array.from({ length: term.rows }, (_, row) => active.getLine(active.viewportY + row)?.translateToString(true) ?? '')
      .join('\n')
      .trimEnd()
  })
}
