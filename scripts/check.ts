// The fast loop: format, lint, types, unescaped values in views, and the tests that need no browser and no sandbox.
const QUICK_TESTS = ['tests/architecture.test.ts', 'tests/lib', 'tests/http', 'tests/terminal/frames.test.ts', 'tests/agents/rules.test.ts']
const FOLDERS = ['src', 'views', 'static', 'sidecar', 'tests', 'scripts']

/** The steps that look at the source without running it. */
export const SOURCE_CHECKS: [name: string, command: string[]][] = [
  ['format and lint', ['node_modules/.bin/biome', 'check', '--config-path=scripts/lint.json', ...FOLDERS]],
  ['types', ['node_modules/.bin/tsc', '-p', '.']],
  ['unescaped values', ['node_modules/.bin/xss-scan']],
]

/** Runs steps one after the other; false at the first that fails. */
export async function runSteps(steps: typeof SOURCE_CHECKS): Promise<boolean> {
  for (const [name, command] of steps) {
    const began = performance.now()
    const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
    const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
    process.stdout.write(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)\n`)
    if (code !== 0) {
      process.stdout.write(out + err)
      return false
    }
  }
  return true
}

if (import.meta.main) {
  const fine = await runSteps([...SOURCE_CHECKS, ['quick tests', [process.execPath, 'test', ...QUICK_TESTS]]])
  process.exit(fine ? 0 : 1)
}
