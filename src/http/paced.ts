// Long answers and long bodies: the server ends a request by its clock, however well it goes on, so progress winds the clock up again.

/** A body that moves nothing for this long is given up. */
const STALL_S = 120

interface Clock {
  timeout(request: Request, seconds: number): void
}

/** Says that a request made progress; without any it ends after two minutes. */
export function progress(request: Request, server: Clock | null): void {
  server?.timeout(request, STALL_S)
}

/** The same answer, which may take as long as its reader goes on reading. */
export function paced(answer: Response, request: Request, server: Clock | null): Response {
  if (!answer.body) return answer
  const reader: ReadableStreamDefaultReader<Uint8Array> = answer.body.getReader()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        progress(request, server)
        const { done, value } = await reader.read()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
  return new Response(body, answer)
}
