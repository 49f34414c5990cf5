// Who we are: a random id that the database was given once, for marks on what we make outside of it.
import { boolean, pgTable, timestamp, uuid } from 'drizzle-orm/pg-core'
import type { Db } from './client.ts'

export const installation = pgTable('installation', {
  oneRow: boolean('one_row').primaryKey().default(true),
  id: uuid('id').notNull().defaultRandom(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
})

/** The id of this installation, made with the first call; the same for all replicas, and for a restored database. */
export async function installationId(db: Db): Promise<string> {
  await db.insert(installation).values({}).onConflictDoNothing()
  const [row] = await db.select({ id: installation.id }).from(installation)
  if (!row) throw new Error('an installation has an id')
  return row.id
}
