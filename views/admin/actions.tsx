// What an admin does with somebody else's agent: each asks first and says what its owner will see.
import { Icon } from '../components/icon.tsx'
import { quoted } from '../components/text.ts'

type Verb = 'stop' | 'restart'

const ACTIONS: Record<Verb, { word: string; icon: string; consequence: string }> = {
  stop: {
    word: 'Stop',
    icon: 'power',
    consequence: 'What it is doing now is interrupted. Its files and its conversation stay. Its owner sees that an admin stopped it and can start it again.',
  },
  restart: {
    word: 'Restart',
    icon: 'rotate-cw',
    consequence: 'What it is doing now is interrupted. Its files and its conversation stay. Its owner sees that an admin restarted it.',
  },
}

/** One action as an item of a menu. */
export function AdminAction({ agent, verb }: { agent: { id: number; name: string; owner: { displayName: string } }; verb: Verb }) {
  const { word, icon, consequence } = ACTIONS[verb]
  return (
    <form
      method="post"
      action={`/admin/agents/${agent.id}/${verb}`}
      role="none"
      data-confirm={quoted(`${word} “${agent.name}” of ${agent.owner.displayName}?`)}
      data-consequence={consequence}
      data-verb={word}
    >
      <button role="menuitem" type="submit">
        <Icon name={icon} />
        <span safe>{word}</span>
      </button>
    </form>
  )
}

/** Both actions with room for words, on the agent's own page. */
export function AdminButtons({ agent }: { agent: { id: number; name: string; owner: { displayName: string } } }) {
  const verbs: Verb[] = ['restart', 'stop']
  return (
    <div class="stack">
      {verbs.map((verb) => {
        const { word, icon, consequence } = ACTIONS[verb]
        return (
          <form
            class="row"
            method="post"
            action={`/admin/agents/${agent.id}/${verb}`}
            data-confirm={quoted(`${word} “${agent.name}” of ${agent.owner.displayName}?`)}
            data-consequence={consequence}
            data-verb={word}
          >
            <input
              class="input grow why"
              type="text"
              name="reason"
              maxlength={200}
              aria-label={`Why: words for its owner, with ${word}`}
              placeholder="Why, for its owner (optional)"
            />
            <button class="button action" type="submit">
              <Icon name={icon} />
              <span safe>{word}</span>
            </button>
          </form>
        )
      })}
    </div>
  )
}
