// Reads a terminal in a process of its own: `WAY KEYS [BYTES_PER_SECOND]`. Prints the bytes heard, ten times a second.
const [way = '{}', keys = '', rate = ''] = process.argv.slice(2)
const { url, headers } = JSON.parse(way) as { url: string; headers: Record<string, string> }
const bytesPerSecond = Number(rate) || Number.POSITIVE_INFINITY

type BunWebSocket = WebSocket & { pause(): void; resume(): void }
type SocketOptions = { protocols: string[]; headers: Record<string, string>; perMessageDeflate: boolean }
const Socket = WebSocket as unknown as new (url: string, options: SocketOptions) => BunWebSocket
const socket = new Socket(url, { protocols: ['tty'], headers, perMessageDeflate: false })
socket.binaryType = 'arraybuffer'
let heard = 0
const begin = performance.now()
socket.onopen = () => {
  socket.send(Buffer.from(JSON.stringify({ AuthToken: '', columns: 80, rows: 24 })))
  setTimeout(() => socket.send(Buffer.from(`0${keys}`)), 500)
}
socket.onmessage = ({ data }) => {
  heard += (data as ArrayBuffer).byteLength - 1
}
socket.onclose = ({ code }) => process.exit(code === 1000 ? 0 : 1)
if (Number.isFinite(bytesPerSecond))
  setInterval(() => {
    if (heard <= ((performance.now() - begin) / 1000) * bytesPerSecond) socket.resume()
    else socket.pause()
  }, 2)
setInterval(() => process.stdout.write(`${heard}\n`), 100)
