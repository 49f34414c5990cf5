// Chooses the upstream adapter by the kind of address.
import { openDtach } from './dtach.ts'
import { openTtyd } from './ttyd.ts'
import type { OpenUpstream } from './upstream.ts'

/** Opens the upstream that an address names. */
export const openUpstream: OpenUpstream = (address, size, sink, timeoutMs) =>
  address.kind === 'dtach' ? openDtach(address.socketPath, size, sink, timeoutMs) : openTtyd(address.url, address.credential, size, sink, timeoutMs)
