// Small changes that came together: what is wrong with a file before it is stored, and the objects of those that are right.
import { randomToken, sha256Hex } from '../lib/crypto.ts'
import { AppError } from '../lib/errors.ts'
import { RelativePath } from '../lib/paths.ts'
import { outputKey } from '../storage/keys.ts'
import type { Storage } from '../storage/storage.ts'

/** A small file whose bytes are in memory. */
export interface SmallFile {
  path: string
  /** Hex SHA-256 that the sender claims; checked against the bytes. */
  sha256: string
  bytes: Uint8Array
}

/** A small file, or a path alone, which is to be removed. */
export type SmallChange = SmallFile | { path: string; bytes?: undefined }

/** The key of each file's object, or why it has none. */
export type Placed = ReadonlyMap<SmallFile, PromiseSettledResult<string>>

/** Puts the files that are right into storage, all with one wait for the disk. */
export async function placeSmall(storage: Storage, agentId: number, files: readonly SmallFile[], maxFileBytes: number): Promise<Placed> {
  const placed = new Map<SmallFile, PromiseSettledResult<string>>()
  const sound = files.flatMap((file) => {
    try {
      check(file, maxFileBytes)
      return [{ file, key: outputKey(agentId, file.sha256, randomToken(9)), bytes: file.bytes }]
    } catch (reason) {
      placed.set(file, { status: 'rejected', reason })
      return []
    }
  })
  const puts = await storage.putSmall(sound)
  for (const [at, { file, key }] of sound.entries()) {
    const put = puts[at]
    placed.set(file, put?.status === 'fulfilled' ? { status: 'fulfilled', value: key } : { status: 'rejected', reason: put?.reason })
  }
  return placed
}

/** The key of a file. Throws why it has none. */
export function keyIn(placed: Placed, file: SmallFile): string {
  const found = placed.get(file)
  if (found?.status !== 'fulfilled') throw found?.reason
  return found.value
}

/** One file has more bytes than one may have. */
export function fileTooLarge(maxBytes: number): AppError {
  return new AppError('too_large', 'file_too_large', `This file is larger than the limit of ${Math.floor(maxBytes / 1024 ** 2)} MiB.`)
}

/** What arrived is not what the sender has. */
export function checksumMismatch(): AppError {
  return new AppError('invalid', 'checksum_mismatch', 'The bytes do not match their checksum. Nothing was changed; send the file again.')
}

function check({ path, sha256, bytes }: SmallFile, maxFileBytes: number): void {
  RelativePath.parse(path)
  if (bytes.byteLength > maxFileBytes) throw fileTooLarge(maxFileBytes)
  if (sha256Hex(bytes) !== sha256) throw checksumMismatch()
}
