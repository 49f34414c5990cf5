// What can be done with an agent: buttons as plain forms, and the menu with all of them.
import { Icon } from '../components/icon.tsx'
import { quoted } from '../components/text.ts'
import type { AgentCard, Stage } from '../model.ts'

type Verb = 'start' | 'stop' | 'restart'

/** One action as a button. */
export function StageAction({ id, verb, word, primary, small, icon }: { id: number; verb: Verb; word: string; primary?: boolean; small?: boolean; icon?: string }) {
  return (
    <form method="post" action={`/agents/${id}/${verb}`}>
      <button class={['button', primary && 'primary', small && 'small']} type="submit">
        {icon ? <Icon name={icon} /> : ''}
        <span safe>{word}</span>
      </button>
    </form>
  )
}

interface Item {
  icon: string
  word: string
  /** Asked before it is done; without it the click is enough. */
  question?: string
  /** What is kept, what is lost. */
  consequence?: string
  danger?: boolean
}

const KEPT = 'What it is doing now is interrupted. Its files and its conversation stay.'

/** The menu behind "Agent actions"; lies outside the bar, which phones do not show. */
export function AgentMenu({ card, stage }: { card: AgentCard; stage: Stage }) {
  const runs = stage.kind === 'terminal' || stage.kind === 'starting'
  return (
    <div class="menu" id="agent-menu" role="menu" aria-label="Agent actions" popover="auto">
      <a role="menuitem" href={`/agents/${card.id}/edit`}>
        <Icon name="pencil" />
        Edit agent
      </a>
      {stage.kind === 'terminal' ? (
        <>
          <button role="menuitem" type="button" data-terminal="find">
            <Icon name="search" />
            Find in terminal
          </button>
          <Action card={card} verb="restart" item={{ icon: 'rotate-cw', word: 'Restart', question: `Restart “${card.name}”?`, consequence: KEPT }} />
        </>
      ) : (
        ''
      )}
      {runs ? <Action card={card} verb="stop" item={{ icon: 'power', word: 'Stop', question: `Stop “${card.name}”?`, consequence: KEPT }} /> : ''}
      {runs ? '' : <Action card={card} verb="start" item={{ icon: 'play', word: 'Start' }} />}
      <hr />
      <Action
        card={card}
        verb="delete"
        item={{
          icon: 'trash-2',
          word: 'Delete agent',
          question: `Delete “${card.name}”?`,
          consequence: 'Its sandbox, its output and its conversations are removed for good. This cannot be undone.',
          danger: true,
        }}
      />
    </div>
  )
}

function Action({ card, verb, item }: { card: AgentCard; verb: Verb | 'delete'; item: Item }) {
  return (
    <form
      method="post"
      action={`/agents/${card.id}/${verb}`}
      role="none"
      data-confirm={item.question && quoted(item.question)}
      data-consequence={item.consequence}
      data-verb={item.word}
      data-danger={item.danger ? '' : undefined}
    >
      <button role="menuitem" type="submit" class={[item.danger && 'danger']}>
        <Icon name={item.icon} />
        <span safe>{item.word}</span>
      </button>
    </form>
  )
}
