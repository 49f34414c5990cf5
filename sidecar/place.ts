// Which folder is watched, told so that the same volume is known again when it is attached anew, and another one is not.
import type { Stats } from 'node:fs'

type Numbers = Pick<Stats, 'dev' | 'ino'>

/**
 * The place of a folder, from its own numbers and those of its parent and of the journal. A volume gets another device number
 * whenever it is attached; a journal that lies on it comes with it, and so is proof enough. The folder itself may be
 * removed and made again by whoever works in it: what counts is its parent.
 */
export function placeOf({ root, parent, journal }: Record<'root' | 'parent' | 'journal', Numbers>): string {
  const isBesideJournal = root.dev === journal.dev && parent.dev === journal.dev
  return isBesideJournal ? `beside:${parent.ino}` : `${parent.dev}:${parent.ino}:${root.dev}`
}

/** Whether a place that was noted earlier is `now`. Earlier sidecars noted device numbers only. */
export function isSamePlace(noted: string, now: string): boolean {
  const [device, inode, own] = noted.split(':')
  return noted === now || (own !== undefined && device === own && now === `beside:${inode}`)
}
