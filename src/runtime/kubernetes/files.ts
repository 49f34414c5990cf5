// The files of chart/files/agent that a pod needs, as text in the program.
import conversationSync from '../../../chart/files/agent/conversation-sync.mjs' with { type: 'text' }
import entrypoint from '../../../chart/files/agent/entrypoint.sh' with { type: 'text' }
import loop from '../../../chart/files/agent/loop.sh' with { type: 'text' }
import managedSettings from '../../../chart/files/agent/managed-settings.json' with { type: 'text' }
import notify from '../../../chart/files/agent/notify.sh' with { type: 'text' }
import seed from '../../../chart/files/agent/seed.mjs' with { type: 'text' }

/** By the names that they have in the pod. */
export const embeddedFiles: Record<string, string> = {
  'conversation-sync.mjs': String(conversationSync),
  'entrypoint.sh': String(entrypoint),
  'loop.sh': String(loop),
  'managed-settings.json': String(managedSettings),
  'notify.sh': String(notify),
  'seed.mjs': String(seed),
}
