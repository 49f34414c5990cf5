// One dialog that asks before something is done for good, instead of the browser's own.

/** Asks in a dialog; focus begins on Cancel. Resolves to the answer. */
function ask(question: string, verb: string): Promise<boolean> {
  const dialog = document.querySelector<HTMLDialogElement>('#confirm')
  if (!dialog) return Promise.resolve(window.confirm(question))
  const text = dialog.querySelector('[data-question]')
  const button = dialog.querySelector('[value="yes"]')
  if (text) text.textContent = question
  if (button) button.textContent = verb
  dialog.returnValue = ''
  dialog.showModal()
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }))
}

/** For requests that htmx makes from elements with `hx-confirm`. */
export function confirmBeforeRequests(): void {
  document.addEventListener('htmx:confirm', (event) => {
    event.preventDefault()
    const { ctx, issueRequest, dropRequest } = (
      event as unknown as CustomEvent<{ ctx: { confirm: string; sourceElement: HTMLElement }; issueRequest(): void; dropRequest(): void }>
    ).detail
    void ask(ctx.confirm, ctx.sourceElement.dataset.verb ?? 'Go on').then((yes) => (yes ? issueRequest() : dropRequest()))
  })
}

/** For plain forms with `data-confirm`. */
export function confirmBeforeSubmits(): void {
  document.addEventListener('submit', (event) => {
    const form = event.target as HTMLFormElement
    if (!form.dataset.confirm || form.dataset.confirmed) return
    event.preventDefault()
    void ask(form.dataset.confirm, form.dataset.verb ?? 'Go on').then((yes) => {
      if (!yes) return
      form.dataset.confirmed = '1'
      form.requestSubmit()
    })
  })
}
