// xterm's colours from the page's tokens, which are light-dark() pairs that only the browser can resolve.
import type { ITheme } from '@xterm/xterm'

const ANSI = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const
const NAMES: [key: keyof ITheme, token: string][] = [
  ['background', 'bg'],
  ['foreground', 'fg'],
  ['cursor', 'cursor'],
  ['cursorAccent', 'bg'],
  ['selectionBackground', 'selection'],
  ...ANSI.flatMap((name): [keyof ITheme, string][] => [
    [name, name],
    [`bright${name[0]?.toUpperCase()}${name.slice(1)}` as keyof ITheme, `bright-${name}`],
  ]),
]

/** The theme as the element's own colour scheme makes it. */
export function paletteOf(element: HTMLElement): ITheme {
  const probe = document.createElement('span')
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 1
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (!context) return {}
  // A transition would give the colour before instead of the one asked for.
  probe.style.setProperty('transition', 'none', 'important')
  element.append(probe)
  const theme: Record<string, string> = {}
  for (const [key, token] of NAMES) {
    probe.style.color = `var(--term-${token})`
    context.clearRect(0, 0, 1, 1)
    context.fillStyle = getComputedStyle(probe).color
    context.fillRect(0, 0, 1, 1)
    theme[key] = `#${[...context.getImageData(0, 0, 1, 1).data].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
  }
  probe.remove()
  return theme
}
