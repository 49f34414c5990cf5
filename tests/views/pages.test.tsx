// What holds for every page: nothing hostile gets through, the content policy has nothing to forbid, ids and labels fit.
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PageFrame } from '../../views/model.ts'
import { samplePages } from '../support/sample-pages.tsx'

const SPRITE = new Set([...readFileSync(join(import.meta.dir, '..', '..', 'static', 'icons.svg'), 'utf8').matchAll(/<symbol id="([\w-]+)"/g)].map((match) => match[1]))
const frame: PageFrame = { organisation: '<i>Nord</i>wind', nonce: 'N0nce', asset: (name) => `/static/${name}`, theme: 'dark' }
const HOSTILE = '"><img src=x onerror=alert(1)><b hx-get="/steal" x-data="evil"><hx-partial hx-target=body hx-post=/steal>&amp;\u202e👩‍👩‍👧'
const pages = samplePages(frame)
const hostilePages = samplePages(frame, { name: HOSTILE, text: `${HOSTILE}</textarea></title><script>alert(2)</script>`, path: `a ${HOSTILE}.md` })

interface Element {
  tag: string
  attributes: Record<string, string>
}

/** All elements of a page, as a parser of HTML sees them. */
function elementsOf(html: string): Element[] {
  const found: Element[] = []
  new HTMLRewriter()
    .on('*', {
      element(element) {
        found.push({ tag: element.tagName, attributes: Object.fromEntries(element.attributes) })
      },
    })
    .transform(html)
  return found
}

const everyPage = Object.entries(pages)
const everyHostilePage = Object.entries(hostilePages)

describe('names and texts that look like markup', () => {
  test.each(everyHostilePage)('are shown literally on %s', async (_name, page) => {
    const elements = elementsOf(await page)
    expect(elements.filter(({ attributes }) => 'onerror' in attributes || attributes['hx-get'] === '/steal' || attributes['x-data'] === 'evil')).toEqual([])
    expect(elements.filter(({ tag, attributes }) => tag === 'script' && !attributes.src)).toEqual([])
    expect(elements.filter(({ tag }) => tag === 'b').length).toBe(elementsOf(await (pages[_name] ?? '')).filter(({ tag }) => tag === 'b').length)
  })

  test('stay readable where they are shown', async () => {
    expect((await hostilePages.workbench)?.includes('&lt;img src=x onerror=alert(1)&gt;')).toBe(true)
    expect((await hostilePages['agent-edit'])?.includes('&lt;/textarea&gt;')).toBe(true)
  })

  // htmx turns `<hx-…` into a template with quoted attributes wherever it stands: in an attribute it would end it.
  test.each(everyHostilePage)('are escaped in attributes as well on %s', async (_name, page) => {
    const values = elementsOf(await page).flatMap(({ attributes }) => Object.values(attributes))
    expect(values.filter((value) => value.includes('<') || /&(?!(#\d+|[a-z]+);)/.test(value.replace(/\?[\w=%.&-]*$/, '')))).toEqual([])
    expect(/<hx-/i.test(await page)).toBe(false)
  })
})

describe('the content policy', () => {
  test.each(everyPage)('has nothing to forbid on %s', async (_name, page) => {
    for (const { tag, attributes } of elementsOf(await page)) {
      expect(Object.keys(attributes).filter((name) => name === 'style' || /^on/.test(name) || name.startsWith('hx-on'))).toEqual([])
      if (tag === 'script') expect(attributes.src).toStartWith('/static/')
      expect(tag).not.toBe('style')
      for (const name of ['href', 'src', 'action']) if (attributes[name]) expect(attributes[name]).toMatch(/^(\/|#|https:\/\/)/)
    }
  })

  test.each(everyPage)('allows every expression of Alpine and htmx on %s', async (_name, page) => {
    for (const { attributes } of elementsOf(await page)) {
      for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith('x-')) expect(value).toMatch(/^[\w.]*(\(\))?$/)
        if (name.startsWith('hx-')) expect(value).not.toMatch(/^js:|^javascript:/)
        if (name === 'hx-trigger') expect(value).not.toContain('[')
      }
    }
  })

  test('gets the nonce for the one classic script', async () => {
    const [nonced] = elementsOf(await (pages.workbench ?? '')).filter(({ attributes }) => attributes.nonce)
    expect(nonced?.attributes).toMatchObject({ nonce: 'N0nce', src: '/static/csp-style.js' })
  })
})

describe('each page', () => {
  test.each(everyPage)('uses icons that exist: %s', async (_name, page) => {
    const used = elementsOf(await page).filter(({ tag }) => tag === 'use')
    expect(used.length).toBeGreaterThan(0)
    expect(used.map(({ attributes }) => attributes.href?.split('#')[1]).filter((name) => !SPRITE.has(name ?? ''))).toEqual([])
  })

  test.each(everyPage)('names everything once: %s', async (_name, page) => {
    const ids = elementsOf(await page).flatMap(({ attributes }) => attributes.id ?? [])
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([])
  })

  test.each(everyPage)('labels its controls and points only at what is there: %s', async (_name, page) => {
    const elements = elementsOf(await page)
    const ids = new Set(elements.map(({ attributes }) => attributes.id))
    const labelled = new Set(elements.filter(({ tag }) => tag === 'label').map(({ attributes }) => attributes.for))
    const fields = elements.filter(({ tag, attributes }) => ['input', 'select', 'textarea'].includes(tag) && !['hidden', 'radio', 'checkbox'].includes(attributes.type ?? ''))
    expect(fields.filter(({ attributes }) => !attributes['aria-label'] && !labelled.has(attributes.id ?? ''))).toEqual([])
    for (const name of ['for', 'aria-describedby', 'aria-controls', 'aria-labelledby', 'popovertarget', 'commandfor', 'data-copy']) {
      const aims = elements.flatMap(({ attributes }) => attributes[name]?.split(' ') ?? [])
      expect(aims.filter((id) => !ids.has(id))).toEqual([])
    }
  })

  test.each(everyPage)('has a language, a title and one main part: %s', async (_name, page) => {
    const html = await page
    expect(html).toStartWith('<!doctype html><html lang="en" data-theme="dark">')
    expect(html).toMatch(/<title>[^<]+ · SAC<\/title>/)
    expect(
      elementsOf(html)
        .filter(({ tag }) => tag === 'main')
        .map(({ attributes }) => attributes.id),
    ).toEqual(['main'])
  })

  test.each(everyPage)('leads nowhere that does not exist: %s', async (_name, page) => {
    const known =
      /^(\/|\/login|\/register|\/account(\/.*)?|\/logout|\/agents(\/(new|\d+(\/(edit|start|stop|restart|delete|output\/delete))?))?|\/api\/workspace\/output\/files\/download\?.*|\/admin(\/agents(\?[\w=&;+%.-]*|\/\d+(\/(stop|restart))?)?|\/(settings|rollouts(\/(new|\d+(\/cancellation)?))?))?|\/static\/.*|#(main|agents|cluster)|https:\/\/.*)$/
    const targets = elementsOf(await page).flatMap(({ tag, attributes }) =>
      tag === 'use' ? [] : [attributes.href, attributes.action].filter((value) => value !== undefined && value !== ''),
    )
    expect(targets.filter((target) => !known.test(target ?? ''))).toEqual([])
  })
})
