// The terminal of the page in a real browser: what it sends, what it answers, and what hostile output can do.
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

const WINDOW_BYTES = 64 * 1024
const FRAME_BYTES = 16 * 1024

/** A page with a live terminal, and the server's end of its socket. */
async function terminal({ screen = '$ ', clock = false } = {}) {
  gallery.screen = screen
  gallery.sockets.length = 0
  const watched = await openPage(browser, {}, /WebSocket/)
  if (clock) await watched.page.clock.install()
  await watched.page.goto(`${gallery.url}/workbench`)
  await watched.page.waitForSelector('x-term[data-link=connected]')
  if (clock) await watched.page.clock.runFor(500)
  await watched.page.locator('x-term').first().click()
  return { ...watched, socket: await newest(1), [Symbol.asyncDispose]: () => watched[Symbol.asyncDispose]() }
}

async function newest(count: number): Promise<GallerySocket> {
  return until(() => (gallery.sockets.filter(({ hello }) => hello).length >= count ? gallery.sockets.findLast(({ hello }) => hello) : undefined), { what: `socket ${count}` })
}

const paste = (page: Page, text: string) =>
  page.evaluate((words) => (document.querySelector('.terminal-slot x-term') as unknown as { term: { paste(text: string): void } }).term.paste(words), text)

function status(socket: GallerySocket, change: object): void {
  socket.send('s', JSON.stringify({ stream: 'one', seat: 'the seat', typed: 0, offset: 2, end: 2, skipped: 0, reset: false, role: 'writer', viewers: 1, state: 'live', ...change }))
}

test('a large paste comes in small frames, never further ahead than its window, whole and in order', async () => {
  await using on = await terminal()
  const text = Array.from({ length: 30_000 }, (_, at) => `${at} é `).join('')
  const length = Buffer.byteLength(text)
  await paste(on.page, text)
  let most = 0
  for (let taken = 0; on.socket.frames.reduce((sum, bytes) => sum + bytes, 0) < length; ) {
    await until(() => on.socket.frames.reduce((sum, bytes) => sum + bytes, 0) > taken, { what: `more than ${taken} bytes` })
    const sent = on.socket.frames.reduce((sum, bytes) => sum + bytes, 0)
    most = Math.max(most, sent - taken)
    taken = sent
    status(on.socket, { typed: taken })
  }
  expect(most).toBeLessThanOrEqual(WINDOW_BYTES)
  expect(Math.max(...on.socket.frames)).toBeLessThanOrEqual(FRAME_BYTES)
  expect(on.socket.frames.reduce((sum, bytes) => sum + bytes, 0)).toBe(length)
})

test('Ctrl-C goes past a paste that waits, and drops the rest of it', async () => {
  await using on = await terminal()
  await paste(on.page, 'x'.repeat(500_000))
  await until(() => on.socket.input.length >= WINDOW_BYTES, { what: 'the window' })
  await on.page.keyboard.press('Control+c')
  await until(() => on.socket.input.endsWith('\u0003'), { what: 'Ctrl-C' })
  status(on.socket, { typed: on.socket.input.length })
  await on.page.keyboard.type('after')
  await until(() => on.socket.input.endsWith('after'), { what: 'the keys' })
  expect(on.socket.input.length).toBe(WINDOW_BYTES + '\u0003after'.length)
})

test('a server that says nothing any more is left; the new connection replaces the old one and goes on at its byte', async () => {
  await using on = await terminal({ clock: true })
  await paste(on.page, 'x'.repeat(100_000))
  await until(() => on.socket.input.length >= WINDOW_BYTES, { what: 'the window' })
  await on.page.clock.fastForward(20_000)
  expect(gallery.sockets.length).toBe(1)
  status(on.socket, { seat: 'a seat' })
  await on.page.waitForTimeout(100)
  await on.page.clock.fastForward(32_000)
  expect(gallery.sockets.length).toBe(1)
  await on.page.clock.fastForward(10_000)
  await on.page.waitForSelector('x-term[data-link=waiting]')
  expect(await on.page.locator('.toast, [role=status], [role=alert]').allTextContents()).toContainEqual(expect.stringContaining('The paste was cut off'))
  await on.page.clock.fastForward(3000)
  const back = await newest(2)
  expect(back.query).toBe('?replaces=a%20seat')
  expect(back.hello?.resume).toEqual({ stream: 'one', offset: 2 })
})

test('questions of the past are not answered, new ones are, once', async () => {
  await using on = await terminal({ screen: 'old \u001b[c\u001b[6n\u001b[>q\u001b]11;?\u0007$ ' })
  await until(async () => (await screenOf(on.page)).includes('old'))
  expect(on.socket.input).toBe('')
  on.socket.send('0', 'new\u001b[c')
  await until(() => on.socket.input, { what: 'an answer' })
  await on.page.waitForTimeout(100)
  expect(on.socket.input).toMatch(/^\u001b\[\?[\d;]+c$/)
})

test('hostile output reaches neither clipboard nor title nor keyboard, and the page stays usable', async () => {
  await using on = await terminal()
  await on.page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await on.page.evaluate(() => navigator.clipboard.writeText('mine'))
  const title = await on.page.title()
  const base64 = Buffer.from('stolen').toString('base64')
  // Nobody works in the terminal: a write is offered, a question never answered.
  await on.page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())
  for (const bytes of [
    '\u001b]52;c;?\u0007',
    `\u001b]52;c;${base64}\u0007`,
    `\u001b]0;${'A\u0001'.repeat(25_000)}\u0007\u001b]2;evil\u001b\\`,
    '\u001b[21t\u001b[20t\u001b[14t\u001b[18t',
    '\u001b]8;;javascript:document.title="owned"\u001b\\click\u001b]8;;\u001b\\',
    '\u001b]8;;https://example.com/\u001b\\good\u001b]8;;\u001b\\',
    `\u001bPq${'~'.repeat(4_000_000)}\u001b\\`,
    `e${'\u0301'.repeat(1_000_000)}`,
    `${'\u001b[?1h\u001b[?1l\u001b[?2004h\u001b[?2004l'.repeat(20_000)}`,
    '\u001bc\r\nstill here',
  ])
    on.socket.send('0', bytes)
  await until(async () => (await screenOf(on.page)).includes('still here'), { timeoutMs: 20_000, what: 'the end of the hostile bytes' })
  // A question about the clipboard is answered, and the answer is empty.
  expect(on.socket.input.replaceAll('\u001b]52;c;\u001b\\', '')).toBe('')
  expect(await on.page.evaluate(() => navigator.clipboard.readText())).toBe('mine')
  expect(await on.page.title()).toBe(title)
  await on.page.locator('x-term').first().click()
  await on.page.keyboard.type('ok')
  await until(() => on.socket.input.includes('ok'), { timeoutMs: 2000, what: 'a key' })
})

test('accents, families and flags stay one character each', async () => {
  await using on = await terminal({ screen: '' })
  on.socket.send('0', '\u001b[2J\u001b[He\u0301|👨‍👩‍👧‍👦|🏴󠁧󠁢󠁳󠁣󠁴󠁿|end')
  await until(async () => (await screenOf(on.page)).includes('end'))
  const cells = await on.page.evaluate(() => {
    const { term } = document.querySelector('.terminal-slot x-term') as unknown as {
      term: { buffer: { active: { getLine(y: number): { getCell(x: number): { getChars(): string } } } } }
    }
    return Array.from({ length: 8 }, (_, x) => term.buffer.active.getLine(0).getCell(x).getChars())
  })
  expect(cells).toEqual(['e\u0301', '|', '👨‍👩‍👧‍👦', '', '|', '🏴󠁧󠁢󠁳󠁣󠁴󠁿', '', '|'])
})

test('a link to anything but the web cannot be followed; one to the web asks first with its whole address', async () => {
  await using on = await terminal({ screen: '' })
  on.socket.send(
    '0',
    '\u001b[2J\u001b[H\u001b]8;;javascript:document.title="owned"\u001b\\clickme\u001b]8;;\u001b\\\r\n\u001b]8;;https://evil.example/?bank.example\u001b\\bank.example\u001b]8;;\u001b\\',
  )
  await until(async () => (await screenOf(on.page)).includes('bank.example'))
  const title = await on.page.title()
  const box = await on.page.locator('.terminal-slot x-term .xterm-screen').boundingBox()
  const rows = await on.page.evaluate(() => (document.querySelector('.terminal-slot x-term') as unknown as { term: { rows: number } }).term.rows)
  if (!box) throw new Error('no screen')
  const clickRow = async (row: number) => {
    await on.page.mouse.move(box.x + 20, box.y + (box.height / rows) * (row + 0.5))
    await on.page.mouse.move(box.x + 24, box.y + (box.height / rows) * (row + 0.5))
    await on.page.waitForTimeout(200)
    await on.page.mouse.down()
    await on.page.mouse.up()
  }
  await clickRow(0)
  await on.page.waitForTimeout(100)
  expect(await on.page.title()).toBe(title)
  expect(await on.page.locator('dialog[open]').count()).toBe(0)
  await clickRow(1)
  await on.page.waitForSelector('dialog[open] >> text=https://evil.example/?bank.example')
})
