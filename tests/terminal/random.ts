// Seeded randomness; the seed is printed so that a failure can be run again with TEST_SEED.
export const SEED = Number(process.env.TEST_SEED) || Math.floor(Math.random() * 2 ** 31)
process.stdout.write(`terminal tests: TEST_SEED=${SEED}\n`)

/** Numbers from 0 to below `max`, the same for the same seed. */
export function randomNumbers(seed = SEED): (max: number) => number {
  let state = seed
  return (max) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >> 8) % max
  }
}
