// Draws the chart with values, as `helm install` would, and finds things in what comes out.
import { CHART, helm, tryHelm, valuesFile } from './shell.ts'

// biome-ignore lint/suspicious/noExplicitAny: objects of many kinds, looked into by path
export type Drawn = any

/** The least that is needed: a trial. */
export const BASE = { publicUrl: 'https://sac.example.com', postgres: { enabled: true } }

const WORDS = ['-n', 'sac', '--kube-version', '1.30.0']

/** All objects of the chart with these values. */
export async function draw(values: object): Promise<Drawn[]> {
  using file = valuesFile(values)
  const text = await helm('template', 'sac', CHART, ...WORDS, '-f', file.path)
  return text
    .split(/^---\s*$/m)
    .map((part) => Bun.YAML.parse(part) as Drawn)
    .filter(Boolean)
}

/** What helm has against these values, or `accepted`. */
export async function refusal(values: object): Promise<string> {
  using file = valuesFile(values)
  const { code, err } = await tryHelm('template', 'sac', CHART, ...WORDS, '-f', file.path)
  return code === 0 ? 'accepted' : err
}

/** The pod that an object makes. */
export const podOf = (object: Drawn) => object.spec?.jobTemplate?.spec?.template?.spec ?? object.spec?.template?.spec
/** Objects of a kind, or the one of this name. */
export const named = (objects: Drawn[], kind: string, name?: string) => objects.filter((object) => object.kind === kind && (name === undefined || object.metadata.name === name))
