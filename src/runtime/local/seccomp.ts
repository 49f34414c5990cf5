// The filter of system calls of a local sandbox: a small program for the kernel, refusing what no agent needs. Pure.

interface Architecture {
  /** Number by which the kernel names it to filters. */
  audit: number
  /** Calls that answer "not permitted". */
  denied: number[]
  clone: number
  unshare: number
  ioctl: number
  clone3: number
}

// In the order of: keyring (3), bpf, perf_event_open, userfaultfd, kexec (2), modules (3), open_by_handle_at, setns,
// mount (2), pivot_root, the newer mount calls (6), io_uring (3), reboot, swap (2), acct, quotactl, move_pages, mbind.
const X64: Architecture = {
  audit: 0xc000003e,
  denied: [248, 249, 250, 321, 298, 323, 246, 320, 175, 313, 176, 304, 308, 165, 166, 155, 428, 429, 430, 431, 432, 433, 425, 426, 427, 169, 167, 168, 163, 179, 279, 237],
  clone: 56,
  unshare: 272,
  ioctl: 16,
  clone3: 435,
}
const ARM64: Architecture = {
  audit: 0xc00000b7,
  denied: [217, 218, 219, 280, 241, 282, 104, 294, 105, 273, 106, 265, 268, 40, 39, 41, 428, 429, 430, 431, 432, 433, 425, 426, 427, 142, 224, 225, 89, 60, 239, 235],
  clone: 220,
  unshare: 97,
  ioctl: 29,
  clone3: 435,
}

const CLONE_NEWUSER = 0x10000000
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c
const X32_BIT = 0x40000000
const EPERM = 1
const ENOSYS = 38

const ALLOW = 0x7fff0000
const errno = (code: number) => 0x00050000 | code
const LOAD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_AT_LEAST = 0x35
const JUMP_ANY_BIT = 0x45
const RETURN = 0x06
const CALL_OFFSET = 0
const ARCHITECTURE_OFFSET = 4
const argument = (index: number) => 16 + 8 * index

type Instruction = [code: number, whenTrue: number, whenFalse: number, value: number]

/**
 * The filter for this machine's processors, as bubblewrap reads it: no typing into a terminal (TIOCSTI), no new user
 * namespaces, no keyrings, no io_uring, nothing that loads code into the kernel. For other processors it refuses nothing.
 */
export function callFilter(machine: string = process.arch): Uint8Array {
  const architecture = machine === 'x64' ? X64 : machine === 'arm64' ? ARM64 : undefined
  return encode(architecture ? program(architecture) : [[RETURN, 0, 0, ALLOW]])
}

function program({ audit, denied, clone, unshare, ioctl, clone3 }: Architecture): Instruction[] {
  const refuse = (code: number): Instruction => [RETURN, 0, 0, errno(code)]
  return [
    [LOAD, 0, 0, ARCHITECTURE_OFFSET],
    // A second set of numbers (32 bit programs) would be a way around all of this.
    [JUMP_EQUAL, 1, 0, audit],
    refuse(ENOSYS),
    [LOAD, 0, 0, CALL_OFFSET],
    [JUMP_AT_LEAST, 0, 1, X32_BIT],
    refuse(ENOSYS),
    ...denied.flatMap((call): Instruction[] => [[JUMP_EQUAL, 0, 1, call], refuse(EPERM)]),
    // Its flags lie in memory, where a filter cannot look; without it the C library takes clone.
    [JUMP_EQUAL, 0, 1, clone3],
    refuse(ENOSYS),
    ...[clone, unshare].flatMap((call): Instruction[] => [
      [JUMP_EQUAL, 0, 4, call],
      [LOAD, 0, 0, argument(0)],
      [JUMP_ANY_BIT, 0, 1, CLONE_NEWUSER],
      refuse(EPERM),
      [RETURN, 0, 0, ALLOW],
    ]),
    [JUMP_EQUAL, 0, 4, ioctl],
    [LOAD, 0, 0, argument(1)],
    [JUMP_EQUAL, 1, 0, TIOCSTI],
    [JUMP_EQUAL, 0, 1, TIOCLINUX],
    refuse(EPERM),
    [RETURN, 0, 0, ALLOW],
  ]
}

function encode(instructions: Instruction[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(instructions.length * 8))
  for (const [at, [code, whenTrue, whenFalse, value]] of instructions.entries()) {
    bytes.setUint16(at * 8, code, true)
    bytes.setUint8(at * 8 + 2, whenTrue)
    bytes.setUint8(at * 8 + 3, whenFalse)
    bytes.setUint32(at * 8 + 4, value, true)
  }
  return new Uint8Array(bytes.buffer)
}
