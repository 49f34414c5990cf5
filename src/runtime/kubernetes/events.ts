// What the cluster has reported about sandboxes lately: a few events of each, none longer than the cluster keeps them itself.
import { keyOfName, objectName } from '../names.ts'
import { type EventView, eventView, type RawEvent } from './objects.ts'

const EVENTS_EACH = 12
/** Agents whose events are kept; those of objects that nobody knows would pile up otherwise. */
const MAX_AGENTS = 5000
/** As long as an API server keeps events unless told otherwise. */
const KEPT_MS = 3_600_000

interface Kept {
  event: EventView
  /** By this process's own clock, which never jumps. */
  heardAt: number
}

/** Keeps events by the name of the sandbox that they are about. */
export class RecentEvents {
  private kept = new Map<string, Kept[]>()

  /** @param now milliseconds of a clock that never goes back. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Newest last. */
  of(name: string): readonly EventView[] {
    return (this.kept.get(name) ?? []).filter((item) => !this.isOld(item)).map(({ event }) => event)
  }

  /** Takes one in, or its latest count; tells whose it is. */
  put(raw: RawEvent): string | undefined {
    return this.note(raw, this.now())
  }

  /** Takes in all that there are; what is not among them is over. What was known already does not become newer by it. */
  replace(items: RawEvent[]): Set<string> {
    const before = this.kept
    this.kept = new Map()
    const heard = new Map([...before.values()].flat().map(({ event, heardAt }) => [`${event.uid} ${event.at}`, heardAt]))
    const touched = new Set(before.keys())
    for (const raw of items) {
      const { uid, at } = eventView(raw)
      const name = this.note(raw, heard.get(`${uid} ${at}`) ?? this.now())
      if (name) touched.add(name)
    }
    return touched
  }

  /** The cluster does not know it any more; tells whose it was. */
  gone(raw: RawEvent): string | undefined {
    const name = nameOf(raw)
    const others = this.kept.get(name ?? '')?.filter(({ event }) => event.uid !== eventView(raw).uid)
    if (!name || !others) return undefined
    if (others.length === 0) this.kept.delete(name)
    else this.kept.set(name, others)
    return name
  }

  /** Forgets a sandbox that is gone. */
  forget(name: string): void {
    this.kept.delete(name)
  }

  private note(raw: RawEvent, heardAt: number): string | undefined {
    const name = nameOf(raw)
    if (!name) return undefined
    const event = eventView(raw)
    const others = (this.kept.get(name) ?? []).filter((item) => item.event.uid !== event.uid && !this.isOld(item))
    // Put last again: the one that has had no news for the longest time goes first.
    this.kept.delete(name)
    this.kept.set(name, [...others, { event, heardAt }].sort((a, b) => a.event.at - b.event.at).slice(-EVENTS_EACH))
    for (const [oldest, items] of this.kept) {
      if (this.kept.size <= MAX_AGENTS && !items.every((item) => this.isOld(item))) break
      this.kept.delete(oldest)
    }
    return name
  }

  private isOld({ heardAt }: Kept): boolean {
    return this.now() - heardAt > KEPT_MS
  }
}

function nameOf({ involvedObject }: RawEvent): string | undefined {
  const key = keyOfName(involvedObject.name ?? '')
  return key && objectName(key)
}
