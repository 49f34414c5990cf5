// The least that can be done: a bare server that sends what it is posted to every listener. Prints its port.
const listeners = new Set<ReadableStreamDefaultController<Uint8Array>>()
let seq = 0

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  async fetch(request) {
    if (request.method === 'POST') {
      const event = Buffer.from(`id: ${++seq}\ndata: {"action":"upload","path":"${await request.text()}","seq":${seq}}\n\n`)
      for (const listener of listeners) listener.enqueue(event)
      return Response.json({ seq })
    }
    let own: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        own = controller
        listeners.add(controller)
        controller.enqueue(Buffer.from('retry: 2000\n\n'))
      },
      cancel: () => void listeners.delete(own),
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  },
})
process.stdout.write(`${server.port}\n`)
