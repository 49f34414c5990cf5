// The connections behind Drizzle: gated, with deadlines, and replaced as a whole when they hang for good.
import type postgres from 'postgres'
import { translate } from './failures.ts'
import { Gate, type GateOptions, type Turn } from './gate.ts'

type Unsafe = postgres.Sql['unsafe']
type Pending = ReturnType<Unsafe>

/** A client of postgres.js as Drizzle uses it: `unsafe`, `begin` and `options`. */
export class Pool {
  private readonly gate: Gate
  private current: postgres.Sql
  /** What Drizzle gets in place of a client. */
  readonly client: postgres.Sql

  constructor(
    private readonly open: () => postgres.Sql,
    limits: Omit<GateOptions, 'onDead'>,
  ) {
    this.gate = new Gate({ ...limits, onDead: () => this.replace() })
    this.current = open()
    this.client = new Proxy(this.current, {
      get: (_first, name) => {
        if (name === 'unsafe') return this.unsafe
        if (name === 'begin') return this.begin
        return Reflect.get(this.current, name)
      },
    })
  }

  close(): Promise<void> {
    return this.current.end({ timeout: 2 })
  }

  // A peer that went away without a word (a cut network, a failover) is noticed by no socket for a quarter of an hour.
  private replace(): void {
    const hung = this.current
    this.current = this.open()
    // Drizzle has put its own converters into the first client's options.
    Object.assign(this.current.options.parsers, hung.options.parsers)
    Object.assign(this.current.options.serializers, hung.options.serializers)
    void hung.end({ timeout: 0 })
  }

  // Drizzle awaits what this returns, or `.values()` of it.
  private readonly unsafe = (...args: Parameters<Unsafe>) => {
    const run = (shape: (pending: Pending) => PromiseLike<unknown>) =>
      this.gate.run(async () => shape(this.current.unsafe(...prepared(args)))).catch((error: unknown) => Promise.reject(translate(error)))
    return {
      values: () => run((pending) => pending.values()),
      // biome-ignore lint/suspicious/noThenProperty: stands in for a lazy query of postgres.js, which is a thenable
      then: (resolve: (value: unknown) => unknown, reject: (reason: unknown) => unknown) => run((pending) => pending).then(resolve, reject),
    }
  }

  private readonly begin = (work: (tx: postgres.TransactionSql) => Promise<unknown>) => {
    const inside = async (turn: Turn) =>
      this.current.begin(async (tx) => {
        const result = await work(checked(tx, turn))
        // Whoever asked was told that it failed; a commit now would make that a lie.
        turn.check()
        return result
      })
    return this.gate.run(inside).catch((error: unknown) => Promise.reject(translate(error)))
  }
}

// Statements inside a transaction need no slot of their own, and none are sent after its deadline.
function checked(tx: postgres.TransactionSql, turn: Turn): postgres.TransactionSql {
  return new Proxy(tx, {
    get(target, name) {
      if (name === 'unsafe')
        return (...args: Parameters<Unsafe>) => {
          turn.check()
          return target.unsafe(...prepared(args))
        }
      if (name === 'savepoint') return (work: (inner: postgres.TransactionSql) => Promise<unknown>) => target.savepoint((inner) => work(checked(inner, turn)))
      return Reflect.get(target, name)
    },
  })
}

// Drizzle prepares named statements only. Preparing every one with parameters saves a roundtrip and the planning.
function prepared([text, values = [], options = {}]: Parameters<Unsafe>): Parameters<Unsafe> {
  return [text, values, { ...options, prepare: values.length > 0 }]
}
