// Chance that can be repeated: the seed is printed, and SEED=number brings a run back.

/** A function that returns numbers from 0 up to 1, the same ones for the same seed. */
export function random(what: string): () => number {
  const seed = Number(process.env.SEED) || (Math.random() * 2 ** 32) >>> 0
  process.stdout.write(`${what}: SEED=${seed}\n`)
  let state = seed
  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
