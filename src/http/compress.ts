// Pages are sent compressed: they hold the same markup many times over, and no secret that their size could tell.
import { Elysia } from 'elysia'

const WORTH_BYTES = 1024

/** Compresses answers of HTML for browsers that take gzip. Streams and files are left as they are. */
export function compressPages() {
  return new Elysia({ name: 'compress' }).onAfterHandle({ as: 'global' }, async ({ response, request }) => {
    if (!(response instanceof Response) || response.body === null || !response.headers.get('content-type')?.startsWith('text/html')) return
    if (!/\bgzip\b/.test(request.headers.get('accept-encoding') ?? '')) return
    const plain = new Uint8Array(await response.arrayBuffer())
    const headers = new Headers(response.headers)
    headers.append('vary', 'accept-encoding')
    if (plain.length < WORTH_BYTES) return new Response(plain, { status: response.status, headers })
    headers.set('content-encoding', 'gzip')
    return new Response(Bun.gzipSync(plain), { status: response.status, headers })
  })
}
