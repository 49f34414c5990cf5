// Liveness and readiness, for people and for probes.
import { Elysia } from 'elysia'
import { everybody } from './auth.ts'

interface Deps {
  database: { ping(timeoutMs: number): Promise<void> }
  isDraining: () => boolean
}

/** `/health` says that the process lives; `/ready` that it can serve: the database answers and no shutdown runs. */
export function healthRoutes({ database, isDraining }: Deps) {
  return new Elysia({ name: 'health' })
    .use(everybody())
    .get('/health', () => ({ status: 'ok' }))
    .get('/ready', async ({ set }) => {
      const reachable = await database.ping(2000).then(
        () => true,
        () => false,
      )
      const ready = reachable && !isDraining()
      if (!ready) set.status = 503
      return { status: ready ? 'ready' : isDraining() ? 'stopping' : 'database down' }
    })
}
