// Reads that hints ask for, one at a time: an older answer can never be shown after a newer one.

/**
 * A function that runs `work`, and once more when it was called again meanwhile. However often it is called, two runs never
 * overlap, and the last run begins after the last call. `work` handles its own failures.
 */
export function latest(work: () => Promise<void>): () => void {
  let running = false
  let wanted = false
  const run = async () => {
    running = true
    try {
      while (wanted) {
        wanted = false
        await work()
      }
    } finally {
      running = false
    }
  }
  return () => {
    wanted = true
    if (!running) void run()
  }
}
