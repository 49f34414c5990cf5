// A small disk of its own, to be filled: a tmpfs, which only root may mount.
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, statfsSync, truncateSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SmallDisk {
  folder: string
  /** Takes all room but `left` bytes. */
  fill(left: number): void
  /** Gives back what `fill` took, or so many bytes of it. */
  empty(bytes?: number): void
  [Symbol.dispose](): void
}

/** Mounts one, in a folder that is there or a new one; undefined, and a word about it, where that is not allowed. */
export function smallDisk(size: string, at?: string): SmallDisk | undefined {
  const folder = at ?? mkdtempSync(join(tmpdir(), 'sac-disk-'))
  const { exitCode } = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stderr: 'ignore' })
  if (exitCode !== 0) {
    if (!at) rmdirSync(folder)
    process.stdout.write('skipped: tests of a full disk need the right to mount one\n')
    return undefined
  }
  const filler = join(folder, 'filler')
  let filled = 0
  return {
    folder,
    fill(left) {
      const { bavail, bsize } = statfsSync(folder)
      const file = openSync(filler, 'a')
      for (let missing = bavail * bsize - left; missing > 0; ) {
        const written = writeOrNone(file, new Uint8Array(Math.min(missing, 1024 ** 2)))
        // Somebody else took the last of it.
        if (written === 0) break
        filled += written
        missing -= written
      }
      closeSync(file)
    },
    empty(bytes) {
      if (bytes === undefined) rmSync(filler, { force: true })
      else truncateSync(filler, filled - bytes)
      filled = bytes === undefined ? 0 : filled - bytes
    },
    [Symbol.dispose]() {
      Bun.spawnSync(['umount', '-l', folder])
      if (!at) rmdirSync(folder)
    },
  }
}

function writeOrNone(file: number, bytes: Uint8Array): number {
  try {
    return writeSync(file, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return 0
    throw error
  }
}
