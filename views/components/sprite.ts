// URL of the icon sprite. Set once when the server has read its assets.

export const sprite = { url: '/static/icons.svg' }

/** Tells the views where the sprite of this build is. */
export function useSprite(url: string): void {
  sprite.url = url
}
