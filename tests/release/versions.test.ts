// One version, wherever it has to be written down twice.
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CLAUDE_VERSION } from '../../src/runtime/local/cli.ts'

const read = (file: string) => readFileSync(join(import.meta.dir, '..', '..', file), 'utf8')
const { version, devDependencies } = JSON.parse(read('package.json')) as { version: string; devDependencies: { bun: string } }
const chart = Bun.YAML.parse(read('chart/Chart.yaml')) as { version: string; appVersion: string }
const argument = (name: string) => new RegExp(`^ARG ${name}=(.*)$`, 'm').exec(read('Dockerfile'))?.[1]

test('the chart installs the images of this version', () => {
  expect(chart).toMatchObject({ version, appVersion: version })
})

test('the images are built with the Bun, and hold the CLI, that the rest of the product uses', () => {
  expect({ bun: argument('BUN_BASE'), claude: argument('CLAUDE_VERSION') }).toEqual({ bun: `oven/bun:${devDependencies.bun}-slim`, claude: CLAUDE_VERSION })
})

test('the Dockerfile names no registry and builds for more than one kind of machine', () => {
  const text = read('Dockerfile')
  for (const [, image] of text.matchAll(/^FROM (?:--platform=\$BUILDPLATFORM )?(\S+)/gm)) expect(image).toMatch(/^(\$\{BUN_BASE\}|\$\{AGENT_BASE\}|scratch|[a-z-]+)$/)
  expect(text).toContain('arm64')
  for (const user of text.split(/^FROM /m).filter((stage) => / AS (server|sidecar|agent)$/m.test(stage.split('\n')[0] ?? ''))) expect(user).toMatch(/^USER 1000\d:1000\d$/m)
})

test('every value of the chart is in its schema, and none of the schema is without a default', () => {
  type Schema = { properties?: Record<string, Schema> }
  const compare = (values: Record<string, unknown>, schema: Schema, path: string): string[] => {
    const known = Object.keys(schema.properties ?? {})
    const missing = known.filter((key) => !(key in values) && !(path === '' && key === 'global')).map((key) => `${path}${key} has no default`)
    const found = Object.entries(values).flatMap(([key, value]) => {
      const inner = schema.properties?.[key]
      if (!inner) return [`${path}${key} is not in the schema`]
      return value !== null && typeof value === 'object' && inner.properties ? compare(value as Record<string, unknown>, inner, `${path}${key}.`) : []
    })
    return [...missing, ...found]
  }
  const problems = compare(Bun.YAML.parse(read('chart/values.yaml')) as Record<string, unknown>, JSON.parse(read('chart/values.schema.json')) as Schema, '')
  expect(problems).toEqual([])
})

test('the page about the values names every one of them', () => {
  const page = read('chart/README.md')
  const values = Bun.YAML.parse(read('chart/values.yaml')) as Record<string, unknown>
  const paths = Object.entries(values).flatMap(([key, value]) => (value !== null && typeof value === 'object' ? Object.keys(value).map((inner) => `${key}.${inner}`) : [key]))
  expect(paths.filter((path) => !page.includes(`\`${path}\``))).toEqual([])
})
