// The form of the settings: fields go back to what is inherited, and settings are found by a word.
import { find, findAll, on } from './page.ts'

/** Makes `data-reset-setting` and `data-find-setting` work. */
export function initSettings(): void {
  on('click', '[data-reset-setting]', reset)
  on<HTMLInputElement>('input', '[data-find-setting]', show)
}

function reset(button: HTMLElement): void {
  const field = document.getElementById(button.dataset.resetSetting ?? '')
  if (!(field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement)) return
  field.value = button.dataset.inherited ?? ''
  field.dispatchEvent(new Event('input', { bubbles: true }))
  field.focus()
}

function show(search: HTMLInputElement): void {
  const word = search.value.trim().toLowerCase()
  for (const setting of findAll('[data-setting]')) {
    const about = find('.about', setting)?.textContent ?? ''
    setting.hidden = word !== '' && !`${about} ${setting.dataset.setting}`.toLowerCase().includes(word)
  }
  for (const section of findAll('.settings > section')) section.hidden = findAll('[data-setting]', section).every((setting) => setting.hidden)
}
