// What happens around a change of the page: busy marks, refusals, focus, announcement, and the sidebar's present entry.
import { currentTerminal, focusTerminal } from './dock.ts'
import { onHtmx, type RequestContext } from './htmx.ts'
import { find, findAll } from './page.ts'
import { toSignIn } from './sign-in.ts'
import { toast } from './toasts.ts'

/** Watches every request of htmx. */
export function initNavigation(): void {
  onHtmx('htmx:config:request', ({ ctx }, event) => {
    if (ctx.sourceElement.dataset.busy !== undefined) event.preventDefault()
  })
  onHtmx('htmx:before:request', ({ ctx }) => setBusy(ctx, true))
  onHtmx('htmx:finally:request', ({ ctx }) => setBusy(ctx, false))
  onHtmx('htmx:response:error', ({ ctx }) => refused(ctx))
  onHtmx('htmx:error', ({ ctx }) => {
    if (!ctx || isStream(ctx)) return
    const kept = ctx.request.method === 'GET' ? 'This page stays as it is.' : 'What you typed is still here.'
    toast({ tone: 'bad', title: 'The server did not answer', text: `${kept} Try again in a moment.` })
  })
  onHtmx('htmx:sse:error', ({ status }) => {
    if (status === 401) toSignIn()
  })
  onHtmx('htmx:after:swap', ({ ctx }) => {
    if (isWholePage(ctx)) arrived(ctx)
  })
}

const isStream = (ctx: RequestContext) => ctx.sourceElement.id === 'stream'

function isWholePage({ target }: RequestContext): boolean {
  return target === document.body || target?.id === 'main'
}

function setBusy(ctx: RequestContext, busy: boolean): void {
  if (isStream(ctx)) return
  const { sourceElement: source, request } = ctx
  if (source instanceof HTMLFormElement) {
    if (busy) source.dataset.busy = ''
    else delete source.dataset.busy
    const button = request.submitter ?? source.querySelector('[type=submit]')
    if (busy) button?.setAttribute('aria-busy', 'true')
    else button?.removeAttribute('aria-busy')
  }
  if (isWholePage(ctx)) document.documentElement.toggleAttribute('data-loading', busy)
}

// A refused form stays with what was typed. A part that cannot be had leaves the page as it is and says so.
function refused(ctx: RequestContext): void {
  if (isStream(ctx)) return
  if (ctx.response.status === 401) {
    ctx.swap = 'none'
    return toSignIn()
  }
  if (!isWholePage(ctx)) {
    ctx.swap = 'none'
    return toast({ tone: 'bad', title: 'This did not work', text: reasonIn(ctx.text) })
  }
  if (ctx.request.method === 'GET') return
  ctx.swap = 'outerMorph show:none'
  ctx.push = 'false'
}

// Error pages say it in one paragraph below their heading.
function reasonIn(html: string): string {
  const text = new DOMParser().parseFromString(html, 'text/html').querySelector('.gate-head p')?.textContent?.trim()
  return text || 'Load the page again.'
}

function arrived(ctx: RequestContext): void {
  find<HTMLDialogElement>('#menu')?.close()
  for (const menu of findAll('.menu:popover-open')) menu.hidePopover()
  markPresent()
  const live = find('#live')
  if (live) live.textContent = ctx.title || document.title
  focusPage(ctx)
}

function focusPage(ctx: RequestContext): void {
  const main = find('#main')
  if (!main) return
  const wrong = ctx.request.method === 'GET' ? null : find('[aria-invalid="true"]', main)
  if (wrong) return wrong.focus()
  if (main.contains(document.activeElement) && document.activeElement?.matches('[autofocus]')) return
  if (currentTerminal() && matchMedia('(pointer: fine)').matches) return focusTerminal()
  const heading = findAll('h1', main).find((item) => item.offsetParent !== null) ?? main
  heading.tabIndex = -1
  heading.focus({ preventScroll: true })
}

/** Marks the page and the agent that are shown; the server does the same with the next news of the agents. */
function markPresent(): void {
  const { pathname } = location
  for (const link of findAll<HTMLAnchorElement>('.sidebar .agent')) mark(link, pathname === link.pathname || pathname.startsWith(`${link.pathname}/`))
  for (const link of findAll<HTMLAnchorElement>('.sidebar .nav a')) {
    mark(link, link.pathname === '/' ? pathname === '/' || /^\/agents\/\d+$/.test(pathname) : pathname.startsWith(link.pathname))
  }
}

function mark(link: HTMLElement, present: boolean): void {
  if (present) link.setAttribute('aria-current', 'page')
  else link.removeAttribute('aria-current')
}
