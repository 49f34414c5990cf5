// A small stand-in for the model's API on loopback: speaks the Messages streaming protocol as the CLI reads it.

interface Block {
  type: string
  text?: string
  content?: unknown
}
interface MessagesRequest {
  model: string
  stream?: boolean
  tools?: unknown[]
  messages: { role: string; content: string | Block[] }[]
}

/** Answers `write NAME with TEXT` by a Write tool call into /workspace/output, and everything else by a sentence. */
export function startModelApi() {
  const prompts: string[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 60,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (request.method === 'HEAD') return new Response(null)
      if (pathname.endsWith('/count_tokens')) return Response.json({ input_tokens: 10 })
      if (!pathname.endsWith('/v1/messages')) return Response.json({ type: 'error', error: { type: 'not_found_error', message: 'no such path' } }, { status: 404 })
      const body = (await request.json()) as MessagesRequest
      const last = body.messages.at(-1)
      const text = typeof last?.content === 'string' ? last.content : (last?.content ?? []).map((block) => block.text ?? '').join('\n')
      const done = Array.isArray(last?.content) && last.content.some((block) => block.type === 'tool_result')
      prompts.push(text)
      const wanted = body.tools?.length && !done ? /write (\S+) with ([^\n<]+)/.exec(text) : null
      const content = wanted ? [tool('Write', { file_path: `/workspace/output/${wanted[1]}`, content: wanted[2] })] : [sentence(done ? 'The file is written.' : 'Understood.')]
      return body.stream
        ? streamed(body.model, content, wanted ? 'tool_use' : 'end_turn')
        : Response.json({ id: 'msg_1', type: 'message', role: 'assistant', model: body.model, content, stop_reason: 'end_turn', stop_sequence: null, usage: USAGE })
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, prompts, stop: () => server.stop(true) }
}

const USAGE = { input_tokens: 10, output_tokens: 10 }
let count = 0

function tool(name: string, input: Record<string, unknown>) {
  return { type: 'tool_use' as const, id: `toolu_${++count}`, name, input }
}

function sentence(text: string) {
  return { type: 'text' as const, text }
}

function streamed(model: string, content: (ReturnType<typeof tool> | ReturnType<typeof sentence>)[], stopReason: string): Response {
  const events: [string, Record<string, unknown>][] = [
    ['message_start', { message: { id: `msg_${++count}`, type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null, usage: USAGE } }],
  ]
  content.forEach((block, index) => {
    const empty = block.type === 'text' ? { type: 'text', text: '' } : { ...block, input: {} }
    const delta = block.type === 'text' ? { type: 'text_delta', text: block.text } : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) }
    events.push(['content_block_start', { index, content_block: empty }], ['content_block_delta', { index, delta }], ['content_block_stop', { index }])
  })
  events.push(['message_delta', { delta: { stop_reason: stopReason, stop_sequence: null }, usage: USAGE }], ['message_stop', {}])
  return new Response(events.map(([event, data]) => `event: ${event}\ndata: ${JSON.stringify({ type: event, ...data })}\n\n`).join(''), {
    headers: { 'content-type': 'text/event-stream' },
  })
}
