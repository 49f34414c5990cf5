// Entry of the pages' scripts: htmx, Alpine and our islands. The terminal's code comes later and only where it is needed.
import htmx from 'htmx.org'
import 'htmx.org/dist/ext/hx-sse.js'
import Alpine from '@alpinejs/csp'
import { copyButton, elapsed, envRows, passwordReveal, presetFill, sideResizer, sideToggle } from './components.ts'
import { confirmBeforeRequests, confirmBeforeSubmits } from './confirm.ts'

Object.assign(htmx.config, { prefix: '', morphIgnore: ['data-htmx-powered', 'open'], transitions: false })
Object.assign(window, { Alpine })
Alpine.data('passwordReveal', passwordReveal)
Alpine.data('envRows', envRows)
Alpine.data('presetFill', presetFill)
Alpine.data('sideResizer', sideResizer)
Alpine.data('sideToggle', sideToggle)
Alpine.data('elapsed', elapsed)
Alpine.data('copyButton', copyButton)
Alpine.start()
confirmBeforeRequests()
confirmBeforeSubmits()

// An ended login answers the stream with 401: the page then shows the sign-in.
document.addEventListener('htmx:sse:error', (event) => {
  if ((event as CustomEvent<{ status?: number }>).detail?.status === 401) location.assign('/login')
})

const idle = window.requestIdleCallback ?? ((work: () => void) => setTimeout(work, 50))
if (document.querySelector('x-term')) idle(() => void import('../terminal/x-term.ts'))
// A terminal that arrives with a swap (after a start) needs the code then.
document.addEventListener('htmx:after:swap', () => {
  if (document.querySelector('x-term')) void import('../terminal/x-term.ts')
})
