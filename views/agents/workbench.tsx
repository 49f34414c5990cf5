// The workbench: the agent's terminal (or how far its start is), and its output beside it.
import { IconButton, State } from '../components/icon.tsx'
import { Shell } from '../layout.tsx'
import type { AgentCard, AgentList, OutputLevel, PageFrame, Stage, Viewer } from '../model.ts'
import { SidePanel } from '../workspace/side-panel.tsx'
import { StageView } from './stage.tsx'

export { FirstRunPage } from './first-run.tsx'
export { StageBar, StageNotes, StageView, stageMark } from './stage.tsx'

interface WorkbenchProps {
  frame: PageFrame
  viewer: Viewer
  list: AgentList
  card: AgentCard
  stage: Stage
  output: OutputLevel
  /** Why new files do not arrive. */
  trouble?: string
  /** Query of the page's event stream. */
  events: string
}

/** Page of one agent. */
export function WorkbenchPage({ frame, viewer, list, card, stage, output, trouble, events }: WorkbenchProps) {
  return (
    <Shell frame={frame} title={card.name} viewer={viewer} list={list} section="workbench" headingInTopbar events={events} corner={<Corner card={card} />}>
      <div class="workbench">
        <section class="panel stage" aria-label="Terminal" id="stage">
          <StageView card={card} stage={stage} screenReader={viewer.screenReader} />
        </section>
        <div
          class="resizer"
          role="separator"
          aria-orientation="vertical"
          aria-label="Resize side panel"
          aria-valuemin={300}
          aria-valuenow={416}
          aria-valuemax={700}
          tabindex={0}
          data-resize="side"
        />
        <SidePanel level={output} stage={stage} trouble={trouble} />
      </div>
    </Shell>
  )
}

// What phones see of the stage's bar.
function Corner({ card }: { card: AgentCard }) {
  return (
    <>
      <State state={card.state} chip id="topbar-state" />
      <IconButton icon="ellipsis" label="Agent actions" more={{ popovertarget: 'agent-menu', 'aria-haspopup': 'menu' }} />
      <IconButton icon="panel-right" label="Output" more={{ 'data-side': 'open' }} />
    </>
  )
}
