// Rules for the values of settings: each says why a value is refused, or undefined. Pure.
import { imageProblem } from '../lib/image-names.ts'
import { objectNameProblem } from '../lib/object-names.ts'
import { type QuantityRange, quantityProblem } from '../lib/quantities.ts'

export type ValueRule = (value: unknown) => string | undefined

const MAX_IMAGES = 50

export const wholeNumber =
  (min: number, max: number): ValueRule =>
  (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? undefined : `Give a whole number from ${min} to ${max}.`

export const decimal =
  (min: number, max: number): ValueRule =>
  (value) =>
    typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max ? undefined : `Give a number from ${min} to ${max}.`

export const oneOf =
  (...words: string[]): ValueRule =>
  (value) =>
    typeof value === 'string' && words.includes(value) ? undefined : `Use ${words.slice(0, -1).join(', ')} or ${words.at(-1)}.`

/** An amount as Kubernetes writes it; a bare number of cores or bytes is one, too. */
export const amount =
  (range: QuantityRange): ValueRule =>
  (value) =>
    typeof value === 'string' || typeof value === 'number' ? quantityProblem(String(value), range) : `Give an amount like ${range.example}.`

/** The name of an image; empty for none. */
export const image: ValueRule = (value) => (typeof value === 'string' ? (value === '' ? undefined : imageProblem(value)) : 'Give the name of an image.')

/** Names of images. */
export const images: ValueRule = (value) => {
  if (!Array.isArray(value)) return 'Give a list of names of images.'
  if (value.length > MAX_IMAGES) return `Name at most ${MAX_IMAGES} images.`
  const wrong = value.map((item) => [item, typeof item === 'string' ? imageProblem(item) : 'This is no text.'] as const).find(([, problem]) => problem)
  return wrong && `“${String(wrong[0]).slice(0, 80)}”: ${wrong[1]}`
}

/** The name of an object in a cluster; empty for none. */
export const objectName: ValueRule = (value) => (typeof value === 'string' ? (value === '' ? undefined : objectNameProblem(value)) : 'Give a name.')
