// Gives the memory of large chunks back at once instead of leaving it to the collector.

// Smaller ones lie in the collector's own heap: freeing them would cost more than it brings.
const WORTH_BYTES = 2 * 1024

/**
 * Frees what `bytes` looks at, its whole buffer; every view of it is empty from then on. For the chunks of a stream, once
 * they are copied: a flood brings megabytes of them before the collector comes.
 */
export function free(bytes: Uint8Array): void {
  if (bytes.byteLength >= WORTH_BYTES && bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0)
}
