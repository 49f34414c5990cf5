// Names of files that have broken other people's programs: quotes, lookalikes, other scripts, other ways to write one letter.

/** Each is a valid name of a file, and is kept byte for byte. */
export const ODD_NAMES = [
  'a..b.txt',
  ' x ',
  '-rf',
  '#%?&+.txt',
  '\'"',
  '日本語',
  'e\u0301',
  '\u00e9',
  '👩‍👩‍👧',
  'x'.repeat(255),
  'CON',
  '.env',
  '$(touch x)',
  '`id`',
  ';id',
  '%41',
  '\u202etxt.exe',
  '\x01\x7f',
  'tab\there',
  '\ufffd',
  '\ufeffbom',
]
