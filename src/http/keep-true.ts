// Keeps an open page true: it is drawn again when something may have changed, and sent where it differs.
import type { AppEvent, Bus } from '../bus/bus.ts'
import { AppError } from '../lib/errors.ts'
import { latest } from '../lib/latest.ts'
import { partial, Shown } from './shown.ts'
import { type EventSink, encodeEvent } from './sse.ts'

const REFRESH_EVERY_MS = 5000
// A thousand agents give many hints; a page follows at most this often.
const GAP_MS = 1000

/** Draws the parts of a page that change by themselves, by the id of their element. Throws `not_found` when its subject has gone. */
export type Draw = () => Promise<Record<string, string>>

/** Marks of a page as it is drawn, for the address of its stream. */
export async function marksOf(draw: Draw): Promise<string> {
  return Shown.of(await draw()).toString()
}

interface Following {
  bus: Bus
  /** Whether a fact may have changed the page. */
  concerns: (event: AppEvent) => boolean
  draw: Draw
  shown: Shown
  sink: EventSink
}

/** Follows what `draw` draws; returns the way to stop. */
export function keepTrue({ bus, concerns, draw, shown, sink }: Following): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let drawnAt = Number.NEGATIVE_INFINITY
  const refresh = latest(async () => {
    drawnAt = performance.now()
    try {
      const parts = Object.entries(await draw()).flatMap(([part, html]) => (shown.differs(part, html) ? [partial(part, 'innerMorph', html)] : []))
      if (parts.length > 0) sink.send(encodeEvent({ id: shown.toString(), data: parts.join('') }))
    } catch (error) {
      // @NOTE a page that cannot be read now is read again with the next hint or in five seconds.
      if (error instanceof AppError && error.kind === 'not_found') sink.close()
    }
  })
  const hinted = () => {
    timer ??= setTimeout(
      () => {
        timer = undefined
        refresh()
      },
      Math.max(0, drawnAt + GAP_MS - performance.now()),
    )
  }
  const off = bus.subscribe((event) => concerns(event) && hinted())
  const clock = setInterval(refresh, REFRESH_EVERY_MS)
  // What changed between the drawing of the page and now, or while the line was broken.
  refresh()
  return () => {
    off()
    clearInterval(clock)
    clearTimeout(timer)
  }
}
