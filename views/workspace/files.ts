// What names of files say about them.

const KINDS: [pattern: RegExp, icon: string, word: string][] = [
  [/\.(png|jpe?g|gif|webp|svg|avif|bmp|ico)$/i, 'file-image', 'Image'],
  [/\.(csv|tsv|xlsx?|ods)$/i, 'file-spreadsheet', 'Table'],
  [/\.(zip|tar|t?gz|bz2|xz|zst|7z|rar)$/i, 'archive', 'Archive'],
  [/\.(html?|m?[jt]sx?|py|go|rs|sh|css|json|jsonl|sql|ya?ml|toml|xml|java|kt|c|h|cpp|rb|php)$/i, 'file-code', 'Code'],
]

/** Icon for a file by its name. */
export function fileIcon(name: string): string {
  return KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? 'file-text'
}

/** "Archive, .zip"; what the name says about the content. */
export function fileKind(name: string): string {
  const extension = /\.[a-z0-9]{1,8}$/i.exec(name)?.[0]
  const word = KINDS.find(([pattern]) => pattern.test(name))?.[2] ?? 'File'
  return extension ? `${word}, ${extension.toLowerCase()}` : word
}
