// Times that go on: seconds since a start, how long something is up, how long ago a file changed.
import { findAll } from './page.ts'

/** Writes `data-since`, `data-up` and `data-ago` every second, and at once after a change of the page. */
export function initClocks(): void {
  const tick = () => {
    const now = Date.now()
    for (const time of findAll('[data-since]')) write(time, elapsed(now - Date.parse(time.dataset.since ?? '')))
    for (const time of findAll('[data-up]')) write(time, lasting(now - Date.parse(time.dataset.up ?? '')))
  }
  tick()
  setInterval(tick, 1000)
  setInterval(ages, 30_000)
  document.addEventListener('htmx:after:swap', tick)
}

function ages(): void {
  for (const time of findAll<HTMLTimeElement>('time[data-ago]')) {
    const word = ago(Date.now() - Date.parse(time.dateTime))
    if (word) write(time, word)
  }
}

function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** "0:14" */
export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** "3 h 20 min" */
export function lasting(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000))
  if (minutes < 60) return `${minutes} min`
  return minutes < 1440 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`
}

/** "just now", "3 min", "2 h"; undefined for more than a day, which the server wrote as a date. */
export function ago(ms: number): string | undefined {
  if (ms < 60_000) return 'just now'
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`
  return ms < 86_400_000 ? `${Math.floor(ms / 3_600_000)} h` : undefined
}
