// What went wrong, as a page: why, and what to do next.
import { Icon } from './components/icon.tsx'
import { quoted } from './components/text.ts'
import { Gate, GateHead } from './layout.tsx'
import type { PageFrame } from './model.ts'

const TITLES: Record<number, string> = {
  400: 'This request is not understood',
  401: 'You are not signed in',
  403: 'You may not open this',
  404: 'This page is not here',
  405: 'This cannot be done here',
  409: 'This cannot be done now',
  412: 'Somebody changed this first',
  413: 'This is too large',
  421: 'Wrong address',
  429: 'Slow down a little',
  503: 'Not available right now',
  507: 'The disk is full',
}

const OUR_FAULT = 'The fault is ours and has been logged. Your agents and their files are not affected.'

/** Error page. `message` is the sentence for the person; the request's id is for the admin. */
export function ErrorPage({ frame, status, message, requestId }: { frame: PageFrame; status: number; message: string; requestId: string }) {
  const title = TITLES[status] ?? (status >= 500 ? 'Something went wrong' : 'This did not work')
  return (
    <Gate frame={frame} title={title}>
      <GateHead number={status} title={title} text={status === 500 ? OUR_FAULT : message} />
      <div class="row wrap">
        {status >= 500 ? (
          // biome-ignore lint/a11y/useValidAnchor: an empty address is the one that failed
          <a class="button primary" href="" hx-boost="false">
            <Icon name="rotate-cw" />
            Try again
          </a>
        ) : (
          ''
        )}
        <a class={['button', status < 500 && 'primary']} href="/">
          <Icon name="square-terminal" />
          Open workbench
        </a>
      </div>
      <div class="field">
        <label for="rid">Request id, for your admin</label>
        <div class="input-group">
          <input class="input mono" id="rid" readonly value={quoted(requestId)} />
          <button class="button icon-only quiet tiny" type="button" aria-label="Copy" title="Copy" data-copy="rid">
            <Icon name="copy" />
          </button>
        </div>
      </div>
    </Gate>
  )
}
