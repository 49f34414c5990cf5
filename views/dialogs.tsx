// Layers over every page: the question before something is done for good, the palette, the keys, and short notes.
import { Switch } from './components/fields.tsx'
import { Icon, IconButton } from './components/icon.tsx'

/** One dialog for all questions; `static/islands/confirm.ts` fills and opens it. Focus begins on Cancel. */
export function ConfirmDialog() {
  return (
    <dialog class="dialog" id="confirm" aria-labelledby="confirm-title" aria-describedby="confirm-text" closedby="closerequest">
      <form method="dialog">
        <header>
          <h2 id="confirm-title">Go on?</h2>
        </header>
        <div class="body">
          <p id="confirm-text" />
        </div>
        <footer>
          <button class="button" type="submit" value="no" autofocus>
            Cancel
          </button>
          <button class="button" type="submit" value="yes">
            Go on
          </button>
        </footer>
      </form>
    </dialog>
  )
}

/** Jump to an agent or a page; `static/islands/palette.ts` fills the list from the page's own links. */
export function Palette() {
  return (
    <dialog class="dialog palette" id="palette" aria-label="Search or jump to" closedby="any">
      <div class="input-group">
        <Icon name="search" />
        <input
          class="input"
          type="text"
          aria-label="Search or jump to"
          placeholder="Agent, page or command"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-autocomplete="list"
          autocomplete="off"
          spellcheck="false"
          autofocus
        />
      </div>
      <div role="listbox" id="palette-list" aria-label="Results" />
      <footer>
        <span>
          <kbd>↑</kbd>
          <kbd>↓</kbd> move
        </span>
        <span>
          <kbd>↵</kbd> open
        </span>
        <span>
          <kbd>Esc</kbd> close
        </span>
      </footer>
    </dialog>
  )
}

const KEYS: [heading: string, rows: [keys: string[], what: string][]][] = [
  [
    'Everywhere but in the terminal',
    [
      [['Ctrl', 'K'], 'Search or jump'],
      [['1', '…', '9'], 'Open an agent'],
      [['g', 'w'], 'Workbench'],
      [['g', 'u'], 'Account'],
      [['g', 'a'], 'Admin area, for admins'],
      [['n'], 'New agent'],
      [['/'], 'Search'],
      [['Esc'], 'Back to the terminal'],
      [['?'], 'These keys'],
    ],
  ],
  [
    'In the terminal',
    [
      [['Ctrl', '⇧', 'K'], 'Search or jump'],
      [['Ctrl', '⇧', 'E'], 'Side panel'],
      [['Ctrl', '⇧', 'F'], 'Find'],
      [['Ctrl', '⇧', 'C'], 'Copy'],
      [['Ctrl', '⇧', 'V'], 'Paste'],
    ],
  ],
]

/** All keyboard shortcuts, and the switch for those of a single key. */
export function KeysDialog() {
  return (
    <dialog class="dialog" id="keys" aria-labelledby="keys-title" closedby="any">
      <header>
        <h2 id="keys-title">Keyboard shortcuts</h2>
      </header>
      <div class="body stack">
        {KEYS.map(([heading, rows]) => (
          <section class="stack small-gap">
            <h3 safe>{heading}</h3>
            <dl class="keys">
              {rows.map(([keys, what]) => (
                <>
                  <dt>
                    {keys.map((key) => (
                      <kbd safe>{key}</kbd>
                    ))}
                  </dt>
                  <dd safe>{what}</dd>
                </>
              ))}
            </dl>
          </section>
        ))}
        <Switch title="Shortcuts of a single key" hint="Switch them off if your speech input types letters." checked more={{ 'data-single-keys': '' }} />
      </div>
      <footer>
        <form method="dialog">
          <button class="button" type="submit" autofocus>
            Close
          </button>
        </form>
      </footer>
    </dialog>
  )
}

/** Where short notes appear; they go by themselves after six seconds. */
export function Toasts() {
  return <div class="toasts" id="toasts" role="status" aria-live="polite" popover="manual" />
}

/** One short note, for a part of the page that the server sends to `#toasts` with `beforeend`. */
export function Toast({ tone, title, text }: { tone: 'ok' | 'warn' | 'bad'; title: string; text?: string }) {
  const icon = { ok: 'circle-check', warn: 'triangle-alert', bad: 'circle-alert' }[tone]
  return (
    <div class="toast" data-tone={tone}>
      <Icon name={icon} />
      <b safe>{title}</b>
      {text ? <p safe>{text}</p> : ''}
      <span class="row tight">
        <IconButton icon="x" label="Dismiss" size="tiny" more={{ 'data-dismiss': '' }} />
      </span>
    </div>
  )
}
