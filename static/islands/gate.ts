// Entry of the signed-out pages: small on purpose, without htmx.
import { initFields } from './fields.ts'

initFields()
document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
// A second press while the answer is on its way would sign in twice.
document.addEventListener('submit', (event) => {
  const form = event.target as HTMLFormElement
  if (form.dataset.sent !== undefined) return event.preventDefault()
  form.dataset.sent = ''
  event.submitter?.setAttribute('aria-busy', 'true')
})
// A page that comes back from the browser's memory can be sent again.
window.addEventListener('pageshow', () => {
  for (const form of document.forms) delete form.dataset.sent
  for (const button of document.querySelectorAll('[aria-busy]')) button.removeAttribute('aria-busy')
})
