// HTTP as bytes: for requests that no client library would send.
import { connect } from 'node:net'

export interface RawAnswer {
  /** Everything the server sent until it closed, or until it was silent for a while. */
  text: string
  /** Status of each answer in it. */
  statuses: number[]
  closed: boolean
}

/** Sends bytes, then listens until the server closes, or until it has answered and says nothing more for `quietMs`. */
export async function rawHttp(url: string, chunks: (string | Uint8Array)[], { quietMs = 60, limitMs = 5000 }: { quietMs?: number; limitMs?: number } = {}): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ host: hostname, port: Number(port) })
  let text = ''
  let quiet: ReturnType<typeof setTimeout> | undefined
  const limit = setTimeout(() => resolve(false), limitMs)
  socket.on('data', (data) => {
    text += data.toString('latin1')
    clearTimeout(quiet)
    quiet = setTimeout(() => resolve(false), quietMs)
  })
  socket.on('close', () => resolve(true))
  // A server that refuses may close while we still write.
  socket.on('error', () => resolve(true))
  socket.on('connect', () => {
    for (const chunk of chunks) socket.write(chunk)
  })
  const closed = await promise
  clearTimeout(quiet)
  clearTimeout(limit)
  socket.destroy()
  return { text, statuses: [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status)), closed }
}
