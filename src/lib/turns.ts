// Work that must not overlap: one turn at a time for each key, in the order of asking.

/** Hands out turns. A key costs memory only while somebody has or waits for a turn. */
export class Turns {
  private readonly last = new Map<string, Promise<unknown>>()

  /** Runs `work` when every earlier turn of this key is over, however that ended. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(key)
    const mine = before ? before.then(work, work) : work()
    this.last.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.last.get(key) === mine) this.last.delete(key)
    }
  }
}
