// Entry of the signed-in pages: htmx, Alpine and our islands. The terminal's code comes later and only where it is needed.
import './htmx.ts'
import Alpine from '@alpinejs/csp'
import { agentForm } from './agent-form.ts'
import { initClocks } from './clocks.ts'
import { initConfirm } from './confirm.ts'
import { initDock } from './dock.ts'
import { initFields } from './fields.ts'
import { initGuard } from './guard.ts'
import { initLive } from './live.ts'
import { initMenus } from './menus.ts'
import { initNavigation } from './navigation.ts'
import { initOutputTree } from './output-tree.ts'
import { initResizers } from './resizers.ts'
import { initShortcuts } from './shortcuts.ts'
import { initSide } from './side.ts'
import { tabs } from './tabs.ts'
import { initTheme } from './theme.ts'
import { initToasts } from './toasts.ts'

// The extension that keeps Alpine's state through live changes looks for it there.
Object.assign(window, { Alpine })
Alpine.data('agentForm', agentForm)
Alpine.data('tabs', tabs)
Alpine.start()

// The order matters where several hear the same event: questions first, and the terminal is placed before focus moves.
initConfirm()
initGuard()
initDock()
initNavigation()
initLive()
initOutputTree()
initFields()
initToasts()
initMenus()
initSide()
initShortcuts()
initResizers()
initClocks()
initTheme()
