// The terminal element in a real browser, on a socket that the test speaks for.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { until } from '../../src/lib/until.ts'
import { launchBrowser, openPage, screenOf } from '../support/browser.ts'
import { Gallery, type GallerySocket } from '../support/gallery.ts'

setDefaultTimeout(60_000)
let browser: Browser
let gallery: Gallery

beforeAll(async () => {
  gallery = await Gallery.start()
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await gallery?.[Symbol.asyncDispose]()
})

/** The element's emulator, as far as tests look into it. */
interface Emulator {
  options: { fontSize: number; theme: Record<string, string> }
  selectAll(): void
  select(column: number, row: number, length: number): void
  buffer: { active: { length: number } }
}
const emulator = <T>(page: Page, look: (term: Emulator) => T): Promise<T> =>
  page.evaluate(`(${look.toString()})(document.querySelector('.terminal-slot x-term').term)`) as Promise<T>

async function opened(page: Page, path = '/workbench'): Promise<GallerySocket> {
  const before = gallery.sockets.length
  await page.goto(gallery.url + path)
  await page.waitForSelector('.terminal-slot x-term[data-link=connected]')
  const socket = gallery.sockets[before]
  if (!socket) throw new Error('the page opened no socket')
  return socket
}

const shows = (page: Page, text: string) => until(async () => (await screenOf(page)).includes(text), { timeoutMs: 20_000, what: `“${text}” on the screen` })
const hears = (socket: GallerySocket, text: string) =>
  until(() => socket.input.includes(text), { what: `${JSON.stringify(text)} from the page` }).catch(() =>
    expect(JSON.stringify(socket.input)).toContain(JSON.stringify(text).slice(1, -1)),
  )

test('a lost network is told, and afterwards only what was missed is asked for', async () => {
  await using watched = await openPage(browser, {}, /WebSocket|net::ERR_/)
  const { page } = watched
  const first = await opened(page)
  await shows(page, 'accept edits on')
  const screen = await screenOf(page)
  await page.context().setOffline(true)
  first.close(1011)
  await page.locator('.term-curtain', { hasText: 'Your agent goes on working' }).waitFor()
  expect(await page.locator('[data-term=link]').textContent()).toContain('Reconnecting')
  const count = gallery.sockets.length
  await page.context().setOffline(false)
  await page.waitForSelector('.terminal-slot x-term[data-link=connected]')
  await page.locator('.term-curtain').waitFor({ state: 'hidden' })
  const again = gallery.sockets[count]
  expect(again?.hello?.resume).toEqual({ stream: 'one', offset: new TextEncoder().encode(gallery.screen).length })
  expect(await screenOf(page)).toBe(screen)
})

test('the colours are those that its program was started with, whatever the page has', async () => {
  await using watched = await openPage(browser, { colorScheme: 'light' })
  const { page, complaints } = watched
  const background = async (path: string) => {
    await opened(page, path)
    return Number.parseInt((await emulator(page, (term) => term.options.theme.background ?? '')).slice(1, 7), 16)
  }
  expect(await background('/workbench')).toBeLessThan(0x303030)
  expect(await background('/workbench-light')).toBeGreaterThan(0xe0e0e0)
  expect(complaints).toEqual([])
})

test('the size of the text is changed by buttons, is told to the program, and is remembered', async () => {
  await using watched = await openPage(browser)
  const { page, complaints } = watched
  const socket = await opened(page)
  const columns = socket.hello?.columns ?? 0
  for (let press = 0; press < 3; press++) await page.click('[aria-label="Larger text"]')
  await until(() => (socket.sizes.at(-1)?.columns ?? columns) < columns, { what: 'fewer columns' })
  expect(await page.locator('[data-term=font]').textContent()).toBe('16 px')
  await opened(page)
  expect(await emulator(page, (term) => term.options.fontSize)).toBe(16)
  expect(complaints).toEqual([])
})

test('screen-reader mode keeps a readable text of the screen', async () => {
  await using watched = await openPage(browser)
  const { page, complaints } = watched
  await opened(page)
  await page.evaluate(() => {
    const old = document.querySelector('.terminal-slot x-term')
    const reading = old?.cloneNode(false) as HTMLElement
    reading.setAttribute('screen-reader', '')
    old?.replaceWith(reading)
  })
  await page.locator('.xterm-accessibility', { hasText: 'make a short report' }).waitFor({ state: 'attached' })
  expect(complaints).toEqual([])
})

test('a search counts what it finds and gives the keys back', async () => {
  await using watched = await openPage(browser)
  const { page, complaints } = watched
  const socket = await opened(page)
  await shows(page, 'accept edits on')
  await page.click('.terminal-slot x-term')
  await page.keyboard.press('Control+Shift+F')
  await page.getByLabel('Find in terminal', { exact: true }).fill('report')
  await page.locator('.term-search .hint', { hasText: '1 of 1' }).waitFor()
  await page.keyboard.press('Escape')
  await page.locator('.term-search').waitFor({ state: 'hidden' })
  await page.keyboard.type('back')
  await hears(socket, 'back')
  expect(socket.input).not.toContain('report')
  expect(complaints).toEqual([])
})

test('text is copied and pasted; a program may write the clipboard and reads it as empty', async () => {
  await using watched = await openPage(browser, { permissions: ['clipboard-read', 'clipboard-write'] })
  const { page, complaints } = watched
  const socket = await opened(page)
  await shows(page, 'accept edits on')
  await page.click('.terminal-slot x-term')
  await emulator(page, (term) => term.selectAll())
  await page.keyboard.press('Control+Shift+C')
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText())
  await until(async () => (await clipboard()).includes('make a short report'), { what: 'the copied screen' })

  socket.send('0', '\x1b[?2004h')
  socket.send('0', 'ready to paste\r\n')
  await shows(page, 'ready to paste')
  await page.evaluate(() => navigator.clipboard.writeText('two\nlines'))
  await page.keyboard.press('Control+Shift+V')
  await hears(socket, '\x1b[200~two\rlines\x1b[201~')

  await page.keyboard.press('a')
  socket.send('0', `\x1b]52;c;${btoa('from the program')}\x07`)
  await until(async () => (await clipboard()) === 'from the program', { what: 'the text of the program' })
  await page.evaluate(() => navigator.clipboard.writeText('a secret of the person'))
  socket.send('0', '\x1b]52;c;?\x07')
  await hears(socket, '\x1b]52;c;\x1b\\')
  expect(socket.input).not.toContain('secret')
  expect(socket.input).not.toContain(btoa('a secret of the person'))
  expect(complaints).toEqual([])
})

test('links ask with their whole address; other schemes do nothing; a title changes nothing of the page', async () => {
  await using watched = await openPage(browser)
  const { page, complaints } = watched
  gallery.screen = '\x1b]8;;javascript:document.title="stolen"\x1b\\JAVASCRIPT\x1b]8;;\x1b\\\r\n\x1b]8;;https://example.com/where?it=leads\x1b\\EXAMPLE\x1b]8;;\x1b\\\r\n'
  try {
    const socket = await opened(page)
    await shows(page, 'EXAMPLE')
    const title = await page.title()
    socket.send('0', '\x1b]0;evil\x01\x02\u202e title\x07\x1b]2;another\x07done\r\n')
    await shows(page, 'done')
    const cell = await page.locator('.xterm-screen').boundingBox()
    if (!cell) throw new Error('no screen')
    const press = async (row: number) => {
      await page.mouse.move(cell.x + 20, cell.y + row)
      await page.waitForFunction(() => document.querySelector('.xterm-cursor-pointer, .xterm-screen') !== null)
      await page.mouse.click(cell.x + 20, cell.y + row)
    }
    await press(7)
    expect(await page.locator('#confirm[open]').count()).toBe(0)
    await press(22)
    await page.locator('#confirm[open]', { hasText: 'https://example.com/where?it=leads' }).waitFor()
    await page.keyboard.press('Escape')
    expect(await page.title()).toBe(title)
    expect(page.context().pages().length).toBe(1)
    expect(complaints).toEqual([])
  } finally {
    gallery.screen = 'plain\r\n'
  }
})

test('on a phone the key bar and the box send keys and whole messages', async () => {
  await using watched = await openPage(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  const { page, complaints } = watched
  const socket = await opened(page)
  for (const key of ['Esc', 'Tab', 'Shift Tab', 'Up']) await page.tap(`.keybar [data-key="${key}"]`)
  await hears(socket, '\x1b\t\x1b[Z\x1b[A')
  await page.tap('.keybar [data-key="Ctrl"]')
  expect(await page.getAttribute('.keybar [data-key="Ctrl"]', 'aria-pressed')).toBe('true')
  await page.locator('.terminal-slot x-term textarea').focus()
  await page.keyboard.type('c')
  await hears(socket, '\x03')
  expect(await page.getAttribute('.keybar [data-key="Ctrl"]', 'aria-pressed')).toBe('false')
  await page.fill('.compose textarea', 'write a report')
  await page.tap('.compose [type=submit]')
  await hears(socket, 'write a report')
  await until(() => socket.input.endsWith('\r'), { what: 'Enter after the message' })
  expect(await page.inputValue('.compose textarea')).toBe('')
  expect(complaints).toEqual([])
})

test('what is typed in the moment in which the palette opens is searched for', async () => {
  await using watched = await openPage(browser)
  const { page, complaints } = watched
  await opened(page)
  // All in one task: no hand is quicker.
  await page.evaluate(() => {
    const press = (target: EventTarget, init: KeyboardEventInit) => target.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...init }))
    press(document.body, { code: 'KeyK', key: 'K', ctrlKey: true, shiftKey: true })
    const input = document.querySelector<HTMLInputElement>('#palette input')
    if (!input) throw new Error('no palette')
    input.value = 'account'
    input.dispatchEvent(new InputEvent('input', { bubbles: true }))
    press(input, { key: 'Enter' })
  })
  await page.getByRole('heading', { name: 'Account', level: 1 }).waitFor()
  expect(complaints).toEqual([])
})

test('the same terminal goes on when pages change beside it', async () => {
  await using watched = await openPage(browser)
  const { page, complaints } = watched
  const socket = await opened(page)
  const sockets = gallery.sockets.length
  await page.evaluate(() => Object.assign(window, { kept: document.querySelector('.terminal-slot x-term') }))
  await page.keyboard.press('Control+Shift+K')
  await page.keyboard.type('account')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Account', level: 1 }).waitFor()
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H1')
  socket.send('0', 'written while away\r\n')
  await page.goBack()
  await shows(page, 'written while away')
  expect(await page.evaluate(() => document.querySelector('.terminal-slot x-term') === (window as unknown as { kept: Element }).kept)).toBe(true)
  expect(gallery.sockets.length).toBe(sockets)
  expect(socket.closed).toBeUndefined()
  expect(complaints).toEqual([])
})

test('a flood is held back, leaves the page usable, and comes in whole', async () => {
  await using watched = await openPage(browser)
  const { page, complaints } = watched
  const socket = await opened(page)
  // More in one frame than may wait to be drawn, however fast the machine is.
  const chunk = new TextEncoder().encode(`${'x'.repeat(79)}\r\n`.repeat(8000))
  // All at once, as if the server did not listen: the page must ask for a pause and still answer a press.
  for (let piece = 0; piece < 15; piece++) socket.send('0', chunk)
  socket.send('0', 'the flood is over\r\n')
  await until(() => socket.pauses.includes('2'), { timeoutMs: 20_000, what: 'a pause' })
  await page.click('aside .nav button')
  await page.locator('#palette[open]').waitFor()
  await page.keyboard.press('Escape')
  await until(() => socket.pauses.at(-1) === '3', { timeoutMs: 20_000, what: 'the end of the pause' })
  await shows(page, 'the flood is over')
  expect(complaints).toEqual([])
})
