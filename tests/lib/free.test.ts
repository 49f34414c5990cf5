import { expect, test } from 'bun:test'
import { free } from '../../src/lib/free.ts'

test('a large chunk is freed with its whole buffer, whatever part of it was looked at', () => {
  const whole = new Uint8Array(64 * 1024).fill(7)
  free(whole.subarray(1))
  expect(whole.byteLength).toBe(0)
})

test('a small chunk is left to the collector', () => {
  const small = new Uint8Array(100).fill(7)
  free(small)
  expect(small).toEqual(new Uint8Array(100).fill(7))
})
