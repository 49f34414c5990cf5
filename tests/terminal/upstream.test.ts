// What the port to a PTY promises of the memory of its output.
import { expect, setDefaultTimeout, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../src/lib/until.ts'
import { openUpstream } from '../../src/terminal/open.ts'
import { inDtach, inTtyd } from './programs.ts'
import { randomNumbers, SEED } from './random.ts'
import { RAW } from './stage.ts'

setDefaultTimeout(60_000)

const LARGE_BYTES = 2 * 1024

for (const [kind, start] of [
  ['dtach', inDtach],
  ['ttyd', inTtyd],
] as const)
  test(`${kind}: a flood arrives whole, and the memory of its chunks is free once they were handed over`, async () => {
    await using program = await start(`${RAW} cat source; cat > /dev/null`)
    const random = randomNumbers()
    const source = Uint8Array.from({ length: 2_000_000 }, () => random(256))
    writeFileSync(join(program.folder, 'source'), source)
    let heard = Buffer.alloc(0)
    const large: Uint8Array[] = []
    const sink = {
      data(bytes: Uint8Array) {
        heard = Buffer.concat([heard, bytes])
        if (bytes.byteLength >= LARGE_BYTES) large.push(bytes)
      },
      taken() {},
      closed() {},
    }
    const upstream = await openUpstream(program.address, { columns: 80, rows: 24 }, sink, 5000)
    writeFileSync(join(program.folder, 'go'), '')
    await until(() => heard.includes('ready'), { what: 'the program' })
    heard = Buffer.alloc(0)
    upstream.write(Buffer.from('x'))
    await until(() => heard.byteLength >= source.byteLength, { timeoutMs: 20_000, what: `a flood (seed ${SEED})` })
    upstream.close()
    expect(heard.equals(source)).toBe(true)
    expect(large.length).toBeGreaterThan(0)
    expect(large.filter(({ byteLength }) => byteLength > 0)).toHaveLength(0)
  })
