// `bun run bench [name…]`: the measurements in bench/, one after the other so that none disturbs another.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = join(import.meta.dir, '..', 'bench')
const wanted = process.argv.slice(2)
const all = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
  .sort()

const unknown = wanted.find((name) => !all.includes(name))
if (unknown !== undefined) {
  process.stderr.write(`There is no measurement "${unknown}". There are: ${all.join(', ')}.\n`)
  process.exit(2)
}

let failed = 0
for (const name of wanted.length > 0 ? wanted : all) {
  process.stdout.write(`\n== ${name}\n`)
  const child = Bun.spawn([process.execPath, join(FOLDER, `${name}.ts`)], { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' })
  if ((await child.exited) !== 0) failed++
}
process.exit(failed === 0 ? 0 : 1)
