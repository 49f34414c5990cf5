// JSON lines on standard error (or human text), with secrets cut out by key and by shape.

export type Level = 'debug' | 'info' | 'warn' | 'error'
export type Fields = Record<string, unknown>

export interface Logger {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** A logger that adds these fields to every line. */
  with(fields: Fields): Logger
}

const RANK: Record<Level, number> = { debug: 10, info: 20, warn: 30, error: 40 }
const SECRET_KEY = /pass(word)?|secret|token|authorization|cookie|api[-_]?key|credential|ciphertext/i
const SECRET_VALUE = /\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}|\bsk-[\w-]{12,}|([?&](?:token|access_token|jwt|ticket|invitation)=)[^&\s"]+|(\b\w{1,20}:\/\/[^:/\s]*:)[^@/\s]+@/g

/** Replaces what looks like a credential: JWTs, provider keys, tokens in a query, passwords in a URL. */
export function redact(text: string): string {
  return text.replace(SECRET_VALUE, (_all, query?: string, url?: string) => (query ? `${query}[redacted]` : url ? `${url}[redacted]@` : '[redacted]'))
}

function clean(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redact(value)
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object') return value
  if (depth > 4) return '[deep]'
  if (value instanceof Error) {
    const { name, message, stack, cause } = value
    return { name, message: redact(message), stack: stack && redact(stack), ...(cause === undefined ? {} : { cause: clean(cause, depth + 1) }) }
  }
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.slice(0, 50).map((item) => clean(item, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, SECRET_KEY.test(key) && typeof item !== 'boolean' ? '[redacted]' : clean(item, depth + 1)]))
}

export interface LoggerOptions {
  level: Level
  format: 'json' | 'console'
  /** Where a finished line goes; standard error unless told. */
  write?: (line: string) => void
}

/** Builds a logger. Lines hold `time level message` and the cleaned fields; control characters are escaped. */
export function createLogger({ level, format, write = (line) => void process.stderr.write(line) }: LoggerOptions, base: Fields = {}): Logger {
  const log = (at: Level, message: string, fields: Fields = {}) => {
    if (RANK[at] < RANK[level]) return
    const time = new Date().toISOString()
    const body = clean({ ...base, ...fields }) as Fields
    // C1 controls and line separators are legal JSON, but break lines and terminals.
    if (format === 'json')
      return write(
        `${JSON.stringify({ time, level: at, message: redact(message), ...body }).replace(/[\u007f-\u009f\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`,
      )
    const rest = Object.entries(body).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    const text = [time.slice(11, 23), at.toUpperCase().padEnd(5), redact(message), ...rest].join(' ')
    // Escaping stops forged lines and terminal escapes in names and user agents.
    write(`${text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)}\n`)
  }
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    with: (fields) => createLogger({ level, format, write }, { ...base, ...fields }),
  }
}

/** A logger that says nothing; for tests and tools. */
export const silentLogger: Logger = createLogger({ level: 'error', format: 'json', write: () => {} })
