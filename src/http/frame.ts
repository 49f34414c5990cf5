// What every page needs of its surroundings: asset names, the organisation, the viewer's theme.

import { useSprite } from '../../views/components/sprite.ts'
import type { PageFrame, Viewer } from '../../views/model.ts'
import type { UserRow } from '../users/schema.ts'
import type { Assets } from './assets.ts'

/** Makes frames for pages. */
export class Frames {
  constructor(
    private readonly assets: Assets,
    private readonly organisation: string,
    /** What everybody in that role should know, whatever the page. */
    private readonly notice: (user: UserRow) => string | undefined = () => undefined,
  ) {
    useSprite(assets.url('icons.svg'))
  }

  /** For one answer; `nonce` is the one of its content policy. */
  of(nonce: string, user?: UserRow): PageFrame {
    return { organisation: this.organisation, nonce, asset: (name) => this.assets.url(name), theme: user?.theme ?? 'system', notice: user && this.notice(user) }
  }
}

/** The signed-in person as pages show them. */
export function viewerOf(user: UserRow): Viewer {
  const { displayName, username, email, role, theme, screenReader } = user
  return { displayName, username, email, role, theme, screenReader }
}
