import { expect, test } from 'bun:test'
import { serveMetrics } from '../../src/http/metrics.ts'

test('Prometheus reads what a replica holds, as it is at that moment, and finds nothing else', async () => {
  const figures = { terminals: 2, viewers: 5, streams: 3, draining: false }
  const server = serveMetrics({ port: 0, hostname: '127.0.0.1' }, () => figures)
  try {
    const read = async () => (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text()
    expect(await read()).toMatch(/^sac_terminals 2$/m)
    figures.terminals = 7
    const text = await read()
    expect(text).toMatch(/^sac_terminals 7$/m)
    expect(Number(/^process_resident_memory_bytes (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(1e6)
    for (const line of text.trim().split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+ [\d.e+-]+)$/)
    expect((await fetch(`http://127.0.0.1:${server.port}/api/agents`)).status).toBe(404)
  } finally {
    await server.stop(true)
  }
})
