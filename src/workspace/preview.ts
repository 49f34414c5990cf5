// How a file is shown: the beginning of a text, a raster image, or not at all.
import type { Preview } from '../../views/workspace/output.tsx'
import { isInlineImage } from './content-types.ts'
import type { Outputs } from './outputs.ts'
import type { OutputFileRow } from './schema.ts'

const MAX_TEXT_BYTES = 256 * 1024
const MAX_LINES = 2000
const MAX_IMAGE_BYTES = 20 * 1024 * 1024

/** Decides by bytes and name; never renders what the file contains. */
export async function previewOf(outputs: Outputs, row: OutputFileRow): Promise<Preview> {
  if (isInlineImage(row.contentType) && row.size <= MAX_IMAGE_BYTES) {
    return { kind: 'image', url: `/api/workspace/output/files/download?agent_id=${row.agentId}&path=${encodeURIComponent(row.path)}&inline=1&v=${row.seq}` }
  }
  const bytes =
    row.size === 0 ? new Uint8Array(0) : new Uint8Array(await new Response(await outputs.open(row, { start: 0, end: Math.min(row.size, MAX_TEXT_BYTES) })).arrayBuffer())
  if (bytes.includes(0)) return { kind: 'other' }
  const lines = new TextDecoder().decode(bytes).split('\n')
  return { kind: 'text', text: lines.slice(0, MAX_LINES).join('\n'), cut: row.size > MAX_TEXT_BYTES || lines.length > MAX_LINES }
}
