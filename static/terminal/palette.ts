// xterm's colours from the page's tokens, which are light-dark() pairs that only the browser can resolve.
import type { ITheme } from '@xterm/xterm'

const NAMES: [keyof ITheme, string][] = [
  ['background', 'bg'],
  ['foreground', 'fg'],
  ['cursor', 'cursor'],
  ['selectionBackground', 'selection'],
  ...['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'].flatMap((name): [keyof ITheme, string][] => [
    [name as keyof ITheme, name],
    [`bright${name[0]?.toUpperCase()}${name.slice(1)}` as keyof ITheme, `bright-${name}`],
  ]),
]

/** The theme as the element's own colour scheme makes it. */
export function paletteOf(element: HTMLElement): ITheme {
  const probe = document.createElement('span')
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 1
  const context = canvas.getContext('2d', { willReadFrequently: true })
  element.append(probe)
  const theme = Object.fromEntries(
    NAMES.map(([key, token]) => {
      probe.style.setProperty('color', `var(--term-${token})`)
      if (!context) return [key, undefined]
      context.clearRect(0, 0, 1, 1)
      context.fillStyle = getComputedStyle(probe).color
      context.fillRect(0, 0, 1, 1)
      const bytes = [...context.getImageData(0, 0, 1, 1).data]
      return [key, `#${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`]
    }),
  )
  probe.remove()
  return theme as ITheme
}
