// The storage that the configuration names.
import { join } from 'node:path'
import { FilesystemStorage } from './filesystem.ts'
import type { S3Settings } from './s3.ts'
import type { Storage } from './storage.ts'

/** Opens it; nothing is asked of it yet. */
export async function openStorage({ dataDir, s3 }: { dataDir: string; s3?: S3Settings }): Promise<Storage> {
  if (!s3) return new FilesystemStorage(join(dataDir, 'storage'))
  // Loaded when it is used: the client of S3 takes time and memory.
  const { S3Storage } = await import('./s3.ts')
  return new S3Storage(s3)
}
