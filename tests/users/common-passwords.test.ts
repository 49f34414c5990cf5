import { expect, test } from 'bun:test'
import { isCommonPassword } from '../../src/users/common-passwords.ts'

test.each([
  'password1234',
  'Password1234!',
  'PASSWORD123456789',
  'changeme2026',
  'qwertyuiop123',
  '1qaz2wsx3edc',
  'aaaaaaaaaaaa',
  'abcabcabcabc',
  '123456789012',
  'sunshine2024',
  'monkey dragon',
  'correcthorsebatterystaple',
  'leavemealone',
  'motherfucker',
  'qwertyqwerty',
  'abcdefghijklmnopqrstuvwxyz!',
])('%s is common', async (password) => {
  expect(await isCommonPassword(password)).toBe(true)
})

test.each(['a phrase for testing', 'another good phrase', 'tomato-48291-7731', 'winter garden by the sea', 'Xk9$mQ2v#Lp4', 'блинчики с мёдом', '  spaces around  '])(
  '%s is not',
  async (password) => {
    expect(await isCommonPassword(password)).toBe(false)
  },
)
