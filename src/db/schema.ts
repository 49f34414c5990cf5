// Every table in one place, for Drizzle and for the schema test.
export * from '../agents/schema.ts'
export * from '../rollouts/schema.ts'
export * from '../sessions/schema.ts'
export * from '../settings/schema.ts'
export * from '../users/schema.ts'
export * from '../workspace/schema.ts'
export { installation } from './installation.ts'
