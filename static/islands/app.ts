// Entry of the signed-in pages: htmx and our islands. Alpine and the terminal come later, and only where they are needed.
import { initClocks } from './clocks.ts'
import { initConfirm } from './confirm.ts'
import { initDock } from './dock.ts'
import { initFields } from './fields.ts'
import { initGuard } from './guard.ts'
import { onHtmx } from './htmx.ts'
import { initLive } from './live.ts'
import { initMenus } from './menus.ts'
import { initNavigation } from './navigation.ts'
import { initOutputTree } from './output-tree.ts'
import { find } from './page.ts'
import { initResizers } from './resizers.ts'
import { initSettings } from './settings.ts'
import { initShortcuts } from './shortcuts.ts'
import { initSide } from './side.ts'
import { initTabs } from './tabs.ts'
import { initTheme, tellScheme } from './theme.ts'
import { initToasts } from './toasts.ts'

let alpine: Promise<void> | undefined
const needAlpine = () => {
  if (alpine || !find('[x-data]')) return
  alpine = import('./alpine.ts').then(({ startAlpine }) => startAlpine())
}
needAlpine()
onHtmx('htmx:after:swap', needAlpine)

// The order matters where several hear the same event: questions first, and the terminal is placed before focus moves.
initConfirm()
initGuard()
initDock()
initNavigation()
initLive()
initOutputTree()
initFields()
initSettings()
initToasts()
initMenus()
initSide()
initTabs()
initShortcuts()
initResizers()
initClocks()
initTheme()
tellScheme()
