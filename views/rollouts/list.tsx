// Rollouts that there were and are.
import { AdminShell } from '../admin/shell.tsx'
import { Icon } from '../components/icon.tsx'
import { ago, count } from '../components/measures.ts'
import { quoted } from '../components/text.ts'
import type { PageFrame, Viewer } from '../model.ts'
import type { RolloutSummary } from './model.ts'
import { Bar, imageWord, StatusChip } from './parts.tsx'

interface ListProps {
  frame: PageFrame
  viewer: Viewer
  rollouts: RolloutSummary[]
  stream: string
}

/** The page. */
export function RolloutsPage({ frame, viewer, rollouts, stream }: ListProps) {
  return (
    <AdminShell frame={frame} viewer={viewer} title="Images" section="rollouts" stream={stream}>
      <section class="panel" aria-label="Images">
        <div class="bar">
          <h1 tabindex="-1">Images</h1>
          <a class="button primary small end" href="/admin/rollouts/new">
            <Icon name="layers" />
            Change images
          </a>
        </div>
        <div class="browser-pane" id="rollouts">
          <RolloutList rollouts={rollouts} />
        </div>
      </section>
    </AdminShell>
  )
}

/** The table, for `#rollouts`. */
export function RolloutList({ rollouts }: { rollouts: RolloutSummary[] }) {
  if (rollouts.length === 0) return <None />
  return (
    <div class="table-wrap grow">
      <table class="table stacks">
        <thead>
          <tr>
            {['Image', 'State', 'Progress', 'Failed', 'Begun'].map((word, at) => (
              <th scope="col" class={at > 2 ? 'num' : undefined} safe>
                {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rollouts.map((rollout) => (
            <tr id={`rollout-${rollout.id}`}>
              <td class="lead">
                <a class="mono small truncate lead-name" href={`/admin/rollouts/${rollout.id}`} title={quoted(imageWord(rollout))} safe>
                  {imageWord(rollout)}
                </a>
              </td>
              <td data-label="State">
                <StatusChip status={rollout.status} />
              </td>
              <td data-label="Progress">
                <Bar rollout={rollout} />
              </td>
              <td class="num" data-label="Failed" safe>
                {String(rollout.counts.failed)}
              </td>
              <td class="num muted nowrap" data-label="Begun">
                <time datetime={rollout.createdAt.toISOString()} data-ago="" safe>
                  {ago(rollout.createdAt)}
                </time>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint pad" safe>
        {count(rollouts.length, 'rollout')}
      </p>
    </div>
  )
}

function None() {
  return (
    <div class="empty">
      <span class="tile">
        <Icon name="layers" />
      </span>
      <h2>No images were changed yet</h2>
      <p>A rollout gives many agents another image, a few at a time. Where one does not come up with it, it goes back to the one that it had.</p>
      <div class="row">
        <a class="button" href="/admin/rollouts/new">
          Change images
        </a>
      </div>
    </div>
  )
}
