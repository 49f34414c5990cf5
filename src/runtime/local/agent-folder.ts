// Folders that an agent can fill with traps: links to files of this machine, pipes, names that are taken. Nothing in them
// is followed, and what is written there belongs to the sandbox's user.
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs'
import { randomToken } from '../../lib/crypto.ts'

const FOLDER = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY | constants.O_NONBLOCK
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
/** More than any file that we read there is worth. */
const MOST_BYTES = 16 * 1024 ** 2

/** An open folder of a sandbox; its entries are reached through the open folder itself, so no part of a path can be swapped. */
export class AgentFolder implements Disposable {
  private constructor(
    private readonly fd: number,
    private readonly owner: number | undefined,
  ) {}

  /** Opens a folder that only we can rename. `owner` is who new things in it belong to; undefined leaves them ours. */
  static open(path: string, owner?: number): AgentFolder {
    return new AgentFolder(openSync(path, FOLDER), owner)
  }

  /** The folder of this name, made when it is missing. Anything else of that name is moved aside. */
  folder(name: string): AgentFolder {
    try {
      mkdirSync(this.at(name), { mode: 0o700 })
      const made = this.enter(name)
      made.own()
      return made
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    try {
      return this.enter(name)
    } catch (error) {
      if (!['ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      this.moveAside(name)
      return this.folder(name)
    }
  }

  /** Text of a plain file; undefined for none, for links and pipes, for several names of one file, and for very long ones. */
  read(name: string): string | undefined {
    let fd: number
    try {
      fd = openSync(this.at(name), FILE)
    } catch {
      return undefined
    }
    try {
      const stat = fstatSync(fd)
      if (!stat.isFile() || stat.nlink > 1 || stat.size > MOST_BYTES) return undefined
      const bytes = Buffer.alloc(stat.size)
      let length = 0
      for (let got = -1; got !== 0 && length < stat.size; length += got) got = readSync(fd, bytes, length, stat.size - length, length)
      return bytes.toString('utf8', 0, length)
    } finally {
      closeSync(fd)
    }
  }

  /** Writes a file whole or not at all, and only when its text is another one. */
  write(name: string, text: string, mode = 0o600): void {
    if (this.read(name) === text) return
    const temporary = `.sac-${randomToken(9)}`
    const fd = openSync(this.at(temporary), NEW_FILE, mode)
    try {
      writeWhole(fd, text)
      fchmodSync(fd, mode)
      if (this.owner !== undefined) fchownSync(fd, this.owner, this.owner)
    } finally {
      closeSync(fd)
    }
    try {
      renameSync(this.at(temporary), this.at(name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error
      this.moveAside(name)
      renameSync(this.at(temporary), this.at(name))
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd)
  }

  private enter(name: string): AgentFolder {
    return new AgentFolder(openSync(this.at(name), FOLDER), this.owner)
  }

  private own(): void {
    if (this.owner !== undefined) fchownSync(this.fd, this.owner, this.owner)
  }

  private moveAside(name: string): void {
    renameSync(this.at(name), this.at(`${name}.moved-${randomToken(6)}`))
  }

  private at(name: string): string {
    return `/proc/self/fd/${this.fd}/${name}`
  }
}

function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.byteLength; ) done += writeSync(fd, bytes, done)
}
