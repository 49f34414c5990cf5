// A running portal: configuration to context, two listeners, signals, drain, dispose.
import { internalApp, publicApp } from './app.ts'
import type { Config } from './config.ts'
import { type Context, createContext, type Overrides } from './context.ts'
import { serveMetrics } from './http/metrics.ts'
import { OperatorError } from './lib/errors.ts'

const DRAIN_MS = 10_000

export interface Portal {
  context: Context
  /** Origin of the public listener, for example http://127.0.0.1:8080. */
  url: string
  internalUrl: string
  /** Where Prometheus finds this process, when it may. */
  metricsUrl?: string
  /** Every public route as `METHOD /path`. */
  routes: string[]
  /** Refuses new connections, lets running requests finish, ends streams and sockets, and frees everything. */
  stop(): Promise<void>
}

/** Starts the portal and returns when both listeners answer. */
export async function startPortal(config: Config, overrides: Overrides = {}): Promise<Portal> {
  const context = await createContext(config, overrides)
  try {
    const internal = internalApp(context).listen({
      port: config.http.internalPort,
      hostname: config.http.internalHost,
      reusePort: false,
      idleTimeout: 60,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    })
    context.internalUrl = config.http.internalUrl || `http://${hostForUrl(config.http.internalHost)}:${internal.server?.port}`
    const open = publicApp(context).listen({ port: config.http.port, hostname: config.http.host, reusePort: false, idleTimeout: 30, maxRequestBodySize: 64 * 1024 * 1024 })
    const { metricsPort } = config.http
    const metrics =
      metricsPort === undefined
        ? undefined
        : serveMetrics({ port: metricsPort, hostname: config.http.host }, () => ({ ...context.hub.counts, streams: context.streams.size, draining: context.draining }))
    context.begin()
    return {
      context,
      url: `http://${hostForUrl(config.http.host)}:${open.server?.port}`,
      internalUrl: context.internalUrl,
      metricsUrl: metrics && `http://${hostForUrl(config.http.host)}:${metrics.port}/metrics`,
      routes: open.routes.map(({ method, path }) => `${method} ${path}`),
      async stop() {
        context.draining = true
        const finished = Promise.all([open.server?.stop(false), internal.server?.stop(false)])
        context.endStreams()
        await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, DRAIN_MS))])
        await Promise.all([open.server?.stop(true), internal.server?.stop(true), metrics?.stop(true)])
        await context[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await context[Symbol.asyncDispose]()
    if ((error as { code?: string }).code === 'EADDRINUSE')
      throw new OperatorError(`Port ${config.http.port} or ${config.http.internalPort} is taken by another program. Set API_GATEWAY_PORT and INTERNAL_PORT to free ones.`, {
        cause: error,
      })
    throw error
  }
}

function hostForUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
