// Words for the page: typed look-ups, and one place that hears of every change of it.

/** First element that matches, of the type that the caller expects there. */
export function find<T extends HTMLElement = HTMLElement>(selector: string, root: ParentNode = document): T | null {
  return root.querySelector<T>(selector)
}

/** All elements that match. */
export function findAll<T extends HTMLElement = HTMLElement>(selector: string, root: ParentNode = document): T[] {
  return [...root.querySelectorAll<T>(selector)]
}

/** Nearest ancestor of an event's target that matches, itself included. */
export function closest<T extends HTMLElement = HTMLElement>(event: Event, selector: string): T | null {
  return event.target instanceof Element ? event.target.closest<T>(selector) : null
}

/** Calls back for events on elements that match, now and later: parts of the page come and go. */
export function on<T extends HTMLElement = HTMLElement>(type: string, selector: string, react: (element: T, event: Event) => void, options: AddEventListenerOptions = {}): void {
  document.addEventListener(
    type,
    (event) => {
      const element = closest<T>(event, selector)
      if (element) react(element, event)
    },
    options,
  )
}

/** A value of this browser; storage that is full or switched off loses it and breaks nothing. */
export const remembered = {
  get(key: string): string | null {
    try {
      return localStorage.getItem(`sac.${key}`)
    } catch {
      return null
    }
  },
  set(key: string, value: string): void {
    try {
      localStorage.setItem(`sac.${key}`, value)
    } catch {
      // @NOTE the setting then holds for this page only.
    }
  },
}

/** Whether keys go into a field, where letters must stay letters. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) && !target.matches('[type=checkbox],[type=radio],[readonly]')
  )
}

/** Makes an element with a class and text; text is never read as HTML. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, className = '', text = ''): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  if (className) element.className = className
  if (text) element.textContent = text
  return element
}

/** An icon of the sprite, as the views draw it. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  const sprite = document.querySelector('use')?.getAttribute('href')?.split('#')[0] ?? ''
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  use.setAttribute('href', `${sprite}#${name}`)
  svg.append(use)
  return svg
}
