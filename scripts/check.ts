// The fast loop: format, lint, types, unescaped values in views, and the tests that need no database, browser or sandbox.
import { existsSync } from 'node:fs'

const QUICK_TESTS = [
  'tests/architecture.test.ts',
  'tests/lib',
  'tests/http/origin.test.ts',
  'tests/http/policies.test.ts',
  'tests/users/common-passwords.test.ts',
  'tests/terminal/frames.test.ts',
]
const FOLDERS = ['src', 'views', 'static', 'sidecar', 'tests', 'bench', 'scripts'].filter((name) => existsSync(name))

/** One command with the name that people see. */
export type Step = [name: string, command: string[]]

/** The steps that look at the source without running it. */
export const SOURCE_CHECKS: Step[] = [
  ['format and lint', ['node_modules/.bin/biome', 'check', '--config-path=scripts/lint.json', ...FOLDERS]],
  ['types', ['node_modules/.bin/tsc', '-p', '.', '--incremental', '--tsBuildInfoFile', 'node_modules/.cache/types.tsbuildinfo']],
  ['unescaped values', ['node_modules/.bin/xss-scan']],
]

/** Runs steps side by side and shows what those that fail have to say. False when one failed. */
export async function runSteps(steps: Step[]): Promise<boolean> {
  const results = await Promise.all(steps.map(runStep))
  return results.every(Boolean)
}

async function runStep([name, command]: Step): Promise<boolean> {
  const began = performance.now()
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  process.stdout.write(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)\n${code === 0 ? '' : out + err}`)
  return code === 0
}

if (import.meta.main) {
  const fine = await runSteps([...SOURCE_CHECKS, ['quick tests', [process.execPath, 'test', ...QUICK_TESTS]]])
  process.exit(fine ? 0 : 1)
}
