// Hands the pages of the program itself back to the system: after a storm most of its code is not needed for a long time.
import { dlopen, FFIType } from 'bun:ffi'
import { readFileSync } from 'node:fs'

const MADV_DONTNEED = 4
const LIBC = 'libc.so.6'
const CODE = /^([0-9a-f]+)-([0-9a-f]+) r-xp .* [1-9]\d* +\//

/**
 * Returns how to do it. Only mappings that are code of files are dropped: nobody writes to those, so the system can read each
 * page again, from its cache as a rule, when it is run. Where the system has no such call nothing happens.
 */
export function codeRelease(): () => void {
  try {
    const { symbols } = dlopen(LIBC, { madvise: { args: [FFIType.u64, FFIType.u64, FFIType.i32], returns: FFIType.i32 } })
    return () => {
      for (const [begin, end] of codeMappings()) symbols.madvise(begin, end - begin, MADV_DONTNEED)
    }
  } catch {
    // @NOTE another C library, or a Bun without a compiler: the pages stay until the system itself wants them.
    return () => {}
  }
}

function codeMappings(): [begin: bigint, end: bigint][] {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, begin, end] = CODE.exec(line) ?? []
      return begin && end ? [[BigInt(`0x${begin}`), BigInt(`0x${end}`)]] : []
    })
}
