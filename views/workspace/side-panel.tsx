// The right side of the workbench: tabs, and what they show of the agent.
import { Callout } from '../components/callout.tsx'
import { IconButton } from '../components/icon.tsx'
import type { OutputLevel, Stage } from '../model.ts'
import { OutputList } from './output.tsx'
import { NoPreview } from './preview.tsx'

/** Panel with the agent's output. Tabs of further panels go into the list beside it. */
export function SidePanel({ level, stage, trouble }: { level: OutputLevel; stage: Stage; trouble?: string }) {
  return (
    <section class="panel side" id="side" aria-label="Agent panel">
      <div class="tabs">
        <div role="tablist" aria-label="Agent panel">
          <button class="tab" role="tab" type="button" id="tab-output" aria-selected="true" aria-controls="panel-output">
            Output
            <span class="badge count" data-output-total safe>
              {level.totalFiles.toLocaleString('en-GB')}
            </span>
          </button>
        </div>
        <span class="row end">
          <LiveState live={stage.kind === 'terminal'} />
          <IconButton icon="x" label="Close panel" class="side-close" more={{ 'data-side': 'close' }} />
        </span>
      </div>
      <div class="side-body" role="tabpanel" id="panel-output" aria-labelledby="tab-output">
        <div id="output-trouble">
          <OutputTrouble trouble={trouble} />
        </div>
        <OutputArea level={level} />
        <div
          class="resizer rows"
          role="separator"
          aria-orientation="horizontal"
          aria-label="Resize preview"
          aria-valuemin={20}
          aria-valuenow={50}
          aria-valuemax={80}
          tabindex={0}
          data-resize="preview"
        />
        <NoPreview />
      </div>
    </section>
  )
}

/** Why new files do not arrive, for `#output-trouble`; nothing when they do. */
export function OutputTrouble({ trouble }: { trouble?: string }) {
  return trouble ? <Callout tone="warn" title="New files are not arriving" text={trouble} /> : ''
}

// The mark from which on a change counts as new: the newest one that this page has drawn already.
function OutputArea({ level }: { level: OutputLevel }) {
  const newest = Math.max(0, ...level.rows.map((row) => row.updatedAt.getTime()), level.next ? Date.now() : 0)
  return (
    <div class="half" id="output" data-agent={String(level.agentId)} data-seen={String(newest)}>
      <OutputList level={level} />
    </div>
  )
}

function LiveState({ live }: { live: boolean }) {
  return (
    <span class="state" data-live data-state={live ? 'running' : 'stopped'} title="New files appear as the agent writes them">
      <span class={['dot', live ? 'live' : 'hollow']} data-tone={live ? 'ok' : undefined} />
      <span>{live ? 'Live' : 'Waiting'}</span>
    </span>
  )
}
