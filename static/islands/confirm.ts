// One dialog that asks before something is done for good, instead of the browser's own.
import { onHtmx } from './htmx.ts'
import { find } from './page.ts'

export interface Question {
  title: string
  /** What is kept and what is lost. */
  text?: string
  /** The verb of the button that does it. */
  verb?: string
  /** Cannot be undone: the button is red. */
  danger?: boolean
}

/** Asks; focus begins on Cancel and returns to where it was. Resolves to the answer; closing is no. */
export function ask({ title, text = '', verb = 'Go on', danger = false }: Question): Promise<boolean> {
  const dialog = find<HTMLDialogElement>('#confirm')
  const yes = dialog && find<HTMLButtonElement>('[value=yes]', dialog)
  if (!dialog || !yes || dialog.open) return Promise.resolve(false)
  for (const [id, words] of [
    ['#confirm-title', title],
    ['#confirm-text', text],
  ] as const) {
    const place = find(id, dialog)
    if (place) place.textContent = words
  }
  yes.textContent = verb
  yes.className = `button ${danger ? 'danger solid' : 'primary'}`
  dialog.returnValue = ''
  dialog.showModal()
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }))
}

/** Forms with `data-confirm` and requests with `hx-confirm` ask first. */
export function initConfirm(): void {
  const agreed = new WeakSet<HTMLFormElement>()
  // In the capture phase: before htmx hears of the submit.
  document.addEventListener(
    'submit',
    (event) => {
      const form = event.target
      if (!(form instanceof HTMLFormElement) || !form.dataset.confirm || agreed.delete(form)) return
      event.preventDefault()
      event.stopImmediatePropagation()
      const { submitter } = event
      const { confirm: title, consequence: text, verb, danger } = form.dataset
      void ask({ title, text, verb, danger: danger !== undefined }).then((yes) => {
        if (!yes) return
        agreed.add(form)
        form.requestSubmit(submitter)
      })
    },
    true,
  )
  onHtmx('htmx:confirm', ({ ctx, issueRequest, dropRequest }, event) => {
    event.preventDefault()
    void ask({ title: ctx.confirm ?? '', verb: ctx.sourceElement.dataset.verb }).then((yes) => (yes ? issueRequest() : dropRequest()))
  })
}
