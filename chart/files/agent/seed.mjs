// Run before the CLI starts in a pod: merges the portal's seeds into the home, and its text into /workspace/CLAUDE.md.
// $1 folder with home.json ({theme, seeds}) and CLAUDE.md, as the server wrote them.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const from = process.argv[2]
const home = process.env.HOME
const workspace = process.argv[3] ?? '/workspace'
const notes = join(home, '.sac')

const read = (path) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
// A file that the agent broke is begun anew; the CLI would do the same.
const readJson = (path) => {
  try {
    const value = JSON.parse(read(path) ?? '')
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}
// Whole or not at all: the pod may be killed at any moment.
const write = (path, text, mode) => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.sac-new`, text, { mode })
  renameSync(`${path}.sac-new`, path)
}
const over = (under, top) => {
  const both = { ...under }
  for (const [name, value] of Object.entries(top)) both[name] = isObject(value) && isObject(under[name]) ? over(under[name], value) : value
  return both
}
const hash = (text) => createHash('sha256').update(text).digest('hex')

function seedHome() {
  const { theme, seeds } = JSON.parse(readFileSync(join(from, 'home.json'), 'utf8'))
  const before = read(join(notes, 'theme'))
  for (const { file, set, defaults } of seeds) {
    const path = join(home, file)
    const present = readJson(path)
    // Colours that were chosen in the CLI stay.
    const chosen = present.theme !== undefined && present.theme !== before
    write(path, `${JSON.stringify({ ...over(over(defaults, present), set), theme: chosen ? present.theme : theme }, null, 2)}\n`, 0o600)
  }
  write(join(notes, 'theme'), theme, 0o600)
}

// Written when the portal's text is another one than at the last start; until then what the CLI made of it stays. Their
// version is kept beside the new one.
function instruct() {
  const text = readFileSync(join(from, 'CLAUDE.md'), 'utf8')
  const whole = text === '' ? '' : `${text}\n`
  const path = join(workspace, 'CLAUDE.md')
  const written = read(join(notes, 'instructions')) ?? ''
  const present = read(path)
  if (written === hash(whole) && present !== undefined) return
  if (whole === '' && written === '') return
  if (present && present !== whole && hash(present) !== written) write(join(workspace, 'CLAUDE.before.md'), present, 0o644)
  write(path, whole, 0o644)
  write(join(notes, 'instructions'), hash(whole), 0o600)
}

// One that fails does not keep the other, nor the CLI.
let failed = false
for (const step of [seedHome, instruct]) {
  try {
    step()
  } catch (error) {
    failed = true
    process.stderr.write(`${error}\n`)
  }
}
process.exit(failed ? 1 : 0)
