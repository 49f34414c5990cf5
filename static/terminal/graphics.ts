// Drawing on the GPU, where there is a real one: a software renderer is slower than the DOM.
import type { Terminal } from '@xterm/xterm'

/** Switches to WebGL if that helps; `refit` is called when the size of a cell has changed. */
export async function useGraphics(term: Terminal, refit: () => void, isAlive: () => boolean): Promise<void> {
  if (!hasGpu()) return
  const { WebglAddon } = await import('@xterm/addon-webgl')
  if (!isAlive()) return
  const addon = new WebglAddon()
  // The browser took the GPU away: the DOM goes on where it stopped.
  addon.onContextLoss(() => {
    addon.dispose()
    refit()
  })
  term.loadAddon(addon)
  refit()
}

function hasGpu(): boolean {
  const gl = document.createElement('canvas').getContext('webgl2')
  const debug = gl?.getExtension('WEBGL_debug_renderer_info')
  const name = gl && debug ? String(gl.getParameter(debug.UNMASKED_RENDERER_WEBGL)) : ''
  gl?.getExtension('WEBGL_lose_context')?.loseContext()
  return gl !== null && !/swiftshader|llvmpipe|software|basic render/i.test(name)
}
