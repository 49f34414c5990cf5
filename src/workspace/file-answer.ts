// Raw bytes of a file as an answer: never with our origin's rights, with ranges, under its exact name.

import { CONTENT_POLICY } from '../http/security-headers.ts'
import { AppError } from '../lib/errors.ts'
import { isInlineImage } from './content-types.ts'
import type { Outputs } from './outputs.ts'
import type { OutputFileRow } from './schema.ts'

/** The file as a download, or inline when it is a raster image and `inline` is asked for. */
export async function fileAnswer(outputs: Outputs, row: OutputFileRow, request: Request, inline: boolean): Promise<Response> {
  const shown = inline && isInlineImage(row.contentType)
  const headers: Record<string, string> = {
    'content-type': shown ? row.contentType : safeType(row.contentType),
    'content-disposition': `${shown ? 'inline' : 'attachment'}; ${encodedName(row.path.slice(row.path.lastIndexOf('/') + 1))}`,
    'content-security-policy': CONTENT_POLICY,
    'referrer-policy': 'no-referrer',
    'accept-ranges': 'bytes',
    etag: `"${row.sha256}"`,
    'cache-control': shown ? 'private, max-age=300' : 'private, no-store',
  }
  if (request.headers.get('if-none-match') === headers.etag) return new Response(null, { status: 304, headers })
  // Who resumes a download of what has changed meanwhile gets the whole of the new content, never a mixture.
  const condition = request.headers.get('if-range')
  const range = condition === null || condition === headers.etag ? parseRange(request.headers.get('range'), row.size) : undefined
  if (request.method === 'HEAD') return new Response(null, { headers: { ...headers, 'content-length': String(row.size) } })
  const body = await outputs.open(row, range)
  if (!range) return new Response(body, { headers: { ...headers, 'content-length': String(row.size) } })
  return new Response(body, {
    status: 206,
    headers: { ...headers, 'content-length': String(range.end - range.start), 'content-range': `bytes ${range.start}-${range.end - 1}/${row.size}` },
  })
}

/** `filename*` of RFC 6266 with everything but letters and digits percent-encoded, and a plain ASCII fallback. */
export function encodedName(name: string): string {
  const ascii = name.replace(/[^\w .()-]/g, '_')
  return `filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(name).replace(/['()*!~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)}`
}

/** One satisfiable range as [start, end); several or unreadable ones mean the whole file; beyond the end is refused. */
function parseRange(header: string | null, size: number): { start: number; end: number } | undefined {
  if (header === null || !/^bytes=/.test(header) || header.includes(',')) return undefined
  const match = /^bytes=(\d*)-(\d*)$/.exec(header)
  if (!match || (match[1] === '' && match[2] === '')) throw unsatisfiable(size)
  const [, from = '', to = ''] = match
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const end = from === '' || to === '' ? size : Math.min(size, Number(to) + 1)
  if (start >= end || start >= size) throw unsatisfiable(size)
  return { start, end }
}

function unsatisfiable(size: number): AppError {
  return new AppError('invalid', 'range_not_satisfiable', `This file has ${size} bytes.`)
}

function safeType(contentType: string): string {
  return contentType.startsWith('text/') && !contentType.includes('html') && !contentType.includes('javascript')
    ? 'text/plain; charset=utf-8'
    : contentType.startsWith('image/svg') || contentType.includes('html') || contentType.includes('javascript')
      ? 'application/octet-stream'
      : contentType
}
