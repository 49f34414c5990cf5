// Lines of a child's output, as they come.

/** Calls back with each whole line until the stream ends or the callback says that it has heard enough. */
export async function eachLine(stream: ReadableStream<Uint8Array> | undefined, heard: (line: string) => unknown): Promise<void> {
  const reader = stream?.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    const parts = (rest + decoder.decode(read.value, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) if (heard(line) === true) return reader?.releaseLock()
  }
}
