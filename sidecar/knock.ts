// Proves that the sandbox's network is closed: an address that nobody in here may reach must not answer.
import type { Logger } from '../src/lib/logger.ts'

// A cluster closes a new pod some moments after it has started.
const SETTLE_MS = 3000
const TRIES = 3
const CONNECT_MS = 2000

/** Tries `host:port` a few times and calls back when it answered each time: nothing keeps sandboxes apart then. */
export async function proveClosed(address: string, { onOpen, log }: { onOpen: () => Promise<unknown>; log: Logger }): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    await Bun.sleep(SETTLE_MS)
    if (!(await answers(address))) return
  }
  log.warn('the network of this sandbox is open', { address })
  await onOpen()
}

/** Whether somebody takes a connection there. */
async function answers(address: string): Promise<boolean> {
  const at = address.lastIndexOf(':')
  const connected = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => connected.resolve(false), CONNECT_MS)
  Bun.connect({
    hostname: address.slice(0, at),
    port: Number(address.slice(at + 1)),
    socket: {
      open: (socket) => {
        connected.resolve(true)
        socket.end()
      },
      data() {},
      connectError: () => connected.resolve(false),
    },
  }).catch(() => connected.resolve(false))
  return connected.promise.finally(() => clearTimeout(timer))
}
