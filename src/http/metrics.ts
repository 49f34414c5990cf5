// Figures of this process for Prometheus, on a port of their own: sandboxes reach the internal one, and these are not for them.
export interface Figures {
  terminals: number
  viewers: number
  streams: number
  draining: boolean
}

const TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Serves `GET /metrics` and nothing else. */
export function serveMetrics({ port, hostname }: { port: number; hostname: string }, read: () => Figures): Bun.Server<undefined> {
  return Bun.serve({
    port,
    hostname,
    reusePort: false,
    fetch(request) {
      if (new URL(request.url).pathname !== '/metrics' || request.method !== 'GET') return new Response('Not found\n', { status: 404 })
      return new Response(exposition(read()), { headers: { 'content-type': TYPE, 'cache-control': 'no-store' } })
    },
  })
}

function exposition({ terminals, viewers, streams, draining }: Figures): string {
  const { user, system } = process.cpuUsage()
  return [
    metric('process_cpu_seconds_total', 'counter', 'CPU time of the process.', (user + system) / 1e6),
    metric('process_resident_memory_bytes', 'gauge', 'Memory of the process.', process.memoryUsage.rss()),
    metric('process_start_time_seconds', 'gauge', 'When the process began, since 1970.', performance.timeOrigin / 1000),
    metric('sac_terminals', 'gauge', 'Agents whose terminal this replica holds.', terminals),
    metric('sac_terminal_viewers', 'gauge', 'Browser tabs at these terminals.', viewers),
    metric('sac_event_streams', 'gauge', 'Open event streams.', streams),
    metric('sac_draining', 'gauge', 'Whether the replica is on its way out.', Number(draining)),
  ].join('')
}

function metric(name: string, type: string, help: string, value: number): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`
}
