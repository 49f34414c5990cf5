import { expect, setDefaultTimeout, test } from 'bun:test'
import { getTableConfig, type PgColumn, PgTable } from 'drizzle-orm/pg-core'
import { connect } from '../../src/db/client.ts'
import * as schema from '../../src/db/schema.ts'
import { testDatabase } from '../support/database.ts'

setDefaultTimeout(60_000)

interface Column {
  table: string
  column: string
  type: string
  nullable: boolean
  hasDefault: boolean
}

test('the tables of the code and those of the migrations are the same', async () => {
  const url = await testDatabase()
  expect(await migrated(url)).toEqual(declared())
})

test('unique columns, keys and indexes of the code exist in the database', async () => {
  const sql = connect(await testDatabase(), { max: 1, onnotice() {} })
  try {
    const rows = await sql<{ name: string; unique: boolean; columns: string[] }[]>`
      select t.relname as name, i.indisunique as unique, to_json(array(select attname from pg_attribute where attrelid = t.oid and attnum = any(i.indkey) order by attname)) as columns
      from pg_index i join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace where n.nspname = 'public'`
    const found = rows.map(({ name, unique, columns }) => `${name} ${columns.join(',')}${unique ? ' unique' : ''}`)
    for (const line of declaredIndexes()) expect(found).toContain(line)
  } finally {
    await sql.end()
  }
})

function allTables(): PgTable[] {
  return Object.values<unknown>(schema).filter((value): value is PgTable => value instanceof PgTable)
}

function declared(): Column[] {
  return sorted(
    allTables().flatMap((table) => {
      const { name, columns } = getTableConfig(table)
      return columns.map((column) => ({
        table: name,
        column: column.name,
        type: typeOf(column),
        nullable: !column.notNull,
        hasDefault: column.hasDefault || /serial/.test(column.getSQLType()),
      }))
    }),
  )
}

function declaredIndexes(): string[] {
  return allTables().flatMap((table) => {
    const { name, columns, indexes, primaryKeys, uniqueConstraints } = getTableConfig(table)
    const line = (names: string[], unique: boolean) => `${name} ${[...names].sort().join(',')}${unique ? ' unique' : ''}`
    return [
      ...columns.filter((column) => column.primary || column.isUnique).map((column) => line([column.name], true)),
      ...primaryKeys.map((key) =>
        line(
          key.columns.map((column) => column.name),
          true,
        ),
      ),
      ...uniqueConstraints.map((constraint) =>
        line(
          constraint.columns.map((column) => column.name),
          true,
        ),
      ),
      ...indexes.map(({ config }) =>
        line(
          config.columns.map((column) => ('name' in column ? String(column.name) : '')),
          config.unique,
        ),
      ),
    ]
  })
}

// PostgreSQL's own name for what Drizzle writes into a `create table`.
function typeOf(column: PgColumn): string {
  const type = column.getSQLType()
  const names: Record<string, string> = { bigserial: 'bigint', serial: 'integer' }
  return names[type] ?? type
}

async function migrated(url: string): Promise<Column[]> {
  const sql = connect(url, { max: 1, onnotice() {} })
  try {
    const rows = await sql<Column[]>`
      select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable, a.atthasdef as "hasDefault"
      from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped and c.relname <> 'schema_migrations'`
    return sorted(rows.map((row) => ({ ...row })))
  } finally {
    await sql.end()
  }
}

function sorted(columns: Column[]): Column[] {
  return columns.sort((a, b) => `${a.table}.${a.column}`.localeCompare(`${b.table}.${b.column}`))
}
