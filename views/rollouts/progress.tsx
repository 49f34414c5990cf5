// One rollout: how far it is, what became of each agent, and the way to end it.
import { AdminShell } from '../admin/shell.tsx'
import { Callout } from '../components/callout.tsx'
import { ago, count } from '../components/measures.ts'
import type { PageFrame, Viewer } from '../model.ts'
import type { RolloutAgentView, RolloutPageModel, RolloutSummary } from './model.ts'
import { AgentChip, Bar, imageWord, StatusChip } from './parts.tsx'

interface ProgressProps extends RolloutPageModel {
  frame: PageFrame
  viewer: Viewer
  stream: string
}

/** The page. */
export function RolloutPage({ frame, viewer, stream, rollout, agents }: ProgressProps) {
  return (
    <AdminShell frame={frame} viewer={viewer} title="Change of images" section="rollouts" stream={stream}>
      <section class="panel" aria-label="Change of images">
        <div class="bar">
          <nav aria-label="Breadcrumbs">
            <ol class="breadcrumbs">
              <li>
                <a href="/admin/rollouts">Images</a>
              </li>
              <li>
                <h1 class="mono truncate" aria-current="page" tabindex="-1" safe>
                  {imageWord(rollout)}
                </h1>
              </li>
            </ol>
          </nav>
        </div>
        <div class="browser-pane" id="rollout">
          <RolloutView rollout={rollout} agents={agents} />
        </div>
      </section>
    </AdminShell>
  )
}

/** All of it that changes, for `#rollout`; the same view draws the page and its live changes. */
export function RolloutView({ rollout, agents }: RolloutPageModel) {
  const hidden = rollout.total - agents.length
  return (
    <>
      <Head rollout={rollout} />
      {rollout.status === 'stopped' ? <Callout tone="bad" title="Stopped" text={rollout.reason} /> : ''}
      <div class="table-wrap grow" role="region" aria-label="Agents of this change" tabindex={0}>
        <table class="table stacks">
          <thead>
            <tr>
              <th scope="col">Agent</th>
              <th scope="col">Owner</th>
              <th scope="col">State</th>
              <th scope="col" class="num">
                Wave
              </th>
              <th scope="col">What happened</th>
            </tr>
          </thead>
          <tbody>
            {agents.map((agent) => (
              <Row agent={agent} />
            ))}
          </tbody>
        </table>
      </div>
      {hidden > 0 ? (
        <footer class="pages">
          <span class="hint" safe>{`and ${count(hidden, 'more agent')}`}</span>
        </footer>
      ) : (
        ''
      )}
    </>
  )
}

function Head({ rollout }: { rollout: RolloutSummary }) {
  const { counts, status, wave, waveSize, createdAt } = rollout
  const parts = [
    counts.failed > 0 ? `${counts.failed} failed` : '',
    counts.updating > 0 ? `${counts.updating} ${counts.updating === 1 ? 'restarts' : 'restart'}` : '',
    counts.queued > 0 ? `${counts.queued} ${counts.queued === 1 ? 'waits' : 'wait'}` : '',
    counts.skipped > 0 ? `${counts.skipped} skipped` : '',
    wave > 0 ? `wave ${wave}, ${waveSize} at a time` : `${waveSize} at a time`,
  ]
  return (
    <div class="rollout-head">
      <StatusChip status={status} />
      <Bar rollout={rollout} />
      <span class="hint grow">
        <span safe>{parts.filter(Boolean).join(' · ')}</span> · begun{' '}
        <time datetime={createdAt.toISOString()} data-ago="" safe>
          {ago(createdAt)}
        </time>
      </span>
      {status === 'running' ? (
        <form
          method="post"
          action={`/admin/rollouts/${rollout.id}/cancellation`}
          data-confirm="Cancel the rest?"
          data-consequence="Agents that restart now finish. Those that wait keep the image that they have."
          data-verb="Cancel the rest"
          data-danger
        >
          <button class="button small" type="submit">
            Cancel the rest
          </button>
        </form>
      ) : (
        ''
      )}
    </div>
  )
}

function Row({ agent }: { agent: RolloutAgentView }) {
  return (
    <tr id={`rollout-agent-${agent.id}`}>
      <td class="lead">
        <b class="medium truncate lead-name" safe>
          {agent.name}
        </b>
      </td>
      <td class="nowrap" data-label="Owner" safe>
        {agent.owner}
      </td>
      <td data-label="State">
        <AgentChip agent={agent} />
      </td>
      <td class="num" data-label="Wave" safe>
        {agent.wave === undefined ? '–' : String(agent.wave)}
      </td>
      <td class={['wrap', !agent.reason && 'blank']} data-label="What happened">
        <span class="hint" safe>
          {agent.reason ?? ''}
        </span>
      </td>
    </tr>
  )
}
