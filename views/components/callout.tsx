// Conditions of a page or of a form, and short notes about what finished out of sight.
import type { Children } from '@kitajs/html'
import { Icon } from './icon.tsx'

export type Tone = 'bad' | 'warn' | 'ok' | 'accent'

const ICONS: Record<Tone, string> = { bad: 'circle-alert', warn: 'triangle-alert', ok: 'circle-check', accent: 'info' }

/** What is the matter, why, and a button if there is something to do. */
export function Callout({ tone, title, text, id, children }: { tone: Tone; title: string; text?: string; id?: string; children?: Children }) {
  return (
    <div class="callout" data-tone={tone} role={tone === 'bad' ? 'alert' : 'status'} id={id}>
      <Icon name={ICONS[tone]} />
      <b safe>{title}</b>
      {text ? <p safe>{text}</p> : ''}
      {children ? <span class="actions">{children as 'safe'}</span> : ''}
    </div>
  )
}
