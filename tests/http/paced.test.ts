import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { paced, progress } from '../../src/http/paced.ts'

const MB = 1024 * 1024
const SIZE = 24 * MB
/** The shortest that the server's clock can do; it ticks every four seconds. */
const CLOCK_S = 1
const LONGER_THAN_CLOCK_MS = 9000

let folder: string
let server: Bun.Server<undefined>
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sac-paced-'))
  await Bun.write(join(folder, 'file'), new Uint8Array(SIZE))
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: CLOCK_S,
    async fetch(request, self) {
      if (request.method === 'GET') return paced(new Response(Bun.file(join(folder, 'file')).stream(), { headers: { 'content-length': String(SIZE) } }), request, self)
      let size = 0
      const reader = request.body?.getReader()
      for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
        progress(request, self)
        size += read.value.byteLength
      }
      return new Response(String(size))
    },
  })
})
afterAll(async () => {
  await server.stop(true)
  rmSync(folder, { recursive: true })
})

test.concurrent('a download goes on for as long as its reader reads', async () => {
  const { promise, resolve } = Promise.withResolvers<number>()
  const bytesPerMs = SIZE / LONGER_THAN_CLOCK_MS
  const began = performance.now()
  let read = 0
  const socket = connect({ host: '127.0.0.1', port: server.port ?? 0 }, () => socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
  socket.on('data', (data) => {
    read += data.length
    const tooEarlyMs = read / bytesPerMs - (performance.now() - began)
    if (read > SIZE) return resolve(read)
    if (tooEarlyMs <= 0) return
    socket.pause()
    setTimeout(() => socket.resume(), tooEarlyMs)
  })
  socket.on('close', () => resolve(read))
  expect(await promise).toBeGreaterThan(SIZE)
  socket.destroy()
}, 60_000)

test.concurrent('an upload goes on for as long as its sender sends', async () => {
  const pieces = 30
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host: '127.0.0.1', port: server.port ?? 0 }, () => {
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${pieces * 1000}\r\n\r\n`)
    let sent = 0
    const timer = setInterval(() => {
      if (sent++ < pieces) socket.write('x'.repeat(1000))
      else clearInterval(timer)
    }, LONGER_THAN_CLOCK_MS / pieces)
  })
  socket.on('data', (data) => resolve(data.toString()))
  socket.on('close', () => reject(new Error('the upload was cut')))
  expect(await promise).toEndWith(String(pieces * 1000))
  socket.destroy()
}, 60_000)
