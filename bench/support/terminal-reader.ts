// Reads a terminal in a process of its own: `URL GREETING KEYS [BYTES_PER_SECOND]`. Prints the bytes heard, ten times a second.
const [url = '', greeting = '', keys = '', rate = ''] = process.argv.slice(2)
const bytesPerSecond = Number(rate) || Number.POSITIVE_INFINITY

type BunWebSocket = WebSocket & { pause(): void; resume(): void }
const Socket = WebSocket as unknown as new (url: string, options: { protocols: string[]; perMessageDeflate: boolean }) => BunWebSocket
const socket = new Socket(url, { protocols: ['tty'], perMessageDeflate: false })
socket.binaryType = 'arraybuffer'
let heard = 0
const begin = performance.now()
socket.onopen = () => {
  socket.send(Buffer.from(greeting))
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
