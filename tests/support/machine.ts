// What the machine that runs the tests lets us do, so that tests which need more are skipped by name and with the reason.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ISOLATIONS, type IsolationKind } from '../../src/runtime/local/isolation.ts'
import { probe } from '../../src/runtime/local/probe.ts'

let looking: Promise<{ ways: IsolationKind[]; missing?: string }> | undefined

/** The ways of isolation that work here, the best first; with none, the product's own sentence that says why. */
export function waysHere(): Promise<{ ways: IsolationKind[]; missing?: string }> {
  looking ??= look()
  return looking
}

async function look(): Promise<{ ways: IsolationKind[]; missing?: string }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sac-test-machine-'))
  try {
    const ways: IsolationKind[] = []
    let missing: string | undefined
    for (const kind of ISOLATIONS) {
      const found = await probe({ dataDir, allowOpen: false, ways: [kind] })
      if (found.ok) ways.push(kind)
      else missing = found.reason
    }
    return { ways, missing: ways.length > 0 ? undefined : missing }
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}
