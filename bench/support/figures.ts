// Figures beside the limits that the product promises.
import { readFileSync } from 'node:fs'

/** A line of /proc/PID/status in KiB: what is resident, the most that ever was, and what of it is no file. */
export function memoryKiB(pid: number, name: 'VmRSS' | 'VmHWM' | 'RssAnon' = 'VmRSS'): number {
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

/** One figure with its limit; the words of the verdict come last. */
export function verdict(name: string, value: number, limit: number, unit: string): string[] {
  return [name, `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`, `≤ ${limit} ${unit}`, value <= limit ? 'OK' : 'MISSED']
}
