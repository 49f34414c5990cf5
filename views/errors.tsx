// What went wrong, as a page: why, and what to do next.
import { Icon } from './components/basics.tsx'
import { Gate } from './layout.tsx'
import type { PageFrame } from './model.ts'

const TITLES: Record<number, string> = {
  403: 'You may not open this',
  404: 'This page is not here',
  421: 'Wrong address',
  429: 'Slow down a little',
  503: 'Not available right now',
  507: 'The disk is full',
}

/** Error page with the request's id for the admin. */
export function ErrorPage({ frame, status, message, requestId }: { frame: PageFrame; status: number; message: string; requestId: string }) {
  const title = TITLES[status] ?? (status >= 500 ? 'Something went wrong' : 'This did not work')
  return (
    <Gate frame={frame} title={title}>
      <div class="gate-head">
        <Icon name="logo" />
        <div class="stack tight">
          <span class="muted num">{status}</span>
          <h1 safe>{title}</h1>
          <p safe>{message}</p>
        </div>
      </div>
      <div class="row wrap">
        <a class="button primary" href="/">
          <Icon name="square-terminal" />
          Open workbench
        </a>
      </div>
      <div class="field">
        <label for="rid">Request id, for your admin</label>
        <div class="input-group" x-data="copyButton">
          <input class="input mono" id="rid" readonly value={requestId} />
          <button class="button icon-only quiet tiny" type="button" aria-label="Copy" {...{ 'x-on:click': 'copy' }}>
            <Icon name="copy" />
          </button>
        </div>
      </div>
    </Gate>
  )
}
