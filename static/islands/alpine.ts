// Alpine and its components. Pages without one do not load it: at its start it touches every global name, a costly moment.
import Alpine from '@alpinejs/csp'
import { agentForm } from './agent-form.ts'

/** Starts Alpine on the page as it is; what comes later it finds by itself. */
export function startAlpine(): void {
  // The extension that keeps Alpine's state through live changes looks for it there.
  Object.assign(window, { Alpine })
  Alpine.data('agentForm', agentForm)
  Alpine.start()
}
