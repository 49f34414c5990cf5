// The PostgreSQL that comes with the product: one server in DATA_DIR, on a Unix socket, supervised.
import type { Logger } from '../lib/logger.ts'
import { createCluster, createPortalDatabase } from './embedded/cluster.ts'
import { PORTAL_DATABASE, PORTAL_ROLE, preparePlace, SUPERUSER, urlOf } from './embedded/place.ts'
import { Supervisor } from './embedded/supervisor.ts'

export interface EmbeddedServer {
  /** Address of the portal's database for `connect`; holds the password. */
  url: string
  /** Address of the database `postgres` as the cluster's owner, for repairs and tests. */
  superuserUrl: string
  /** Ends the server, unless another process looks after it. */
  stop(): Promise<void>
}

export interface EmbeddedOptions {
  dataDir: string
  logger: Logger
  /** False trades safety against a power cut for speed; for throw-away databases. */
  durable?: boolean
}

const SETTINGS = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '64MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '512MB',
  max_logical_replication_workers: '0',
  // Commits of a storm of small files share one flush; each still waits for its own.
  commit_delay: '200',
  io_method: 'sync',
  jit: 'off',
  // A query that fails tells its client; the log is for what the server itself suffers, and must not grow with traffic.
  log_min_messages: 'fatal',
  log_checkpoints: 'off',
}

const NOT_DURABLE = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }

/**
 * Starts the server in `dataDir`. While another process looks after one there, that one is used; one whose owner was
 * killed is ended first. A server that ends by itself starts again. Throws Error with a next step.
 */
export async function startEmbedded({ dataDir, logger, durable = true }: EmbeddedOptions): Promise<EmbeddedServer> {
  const place = preparePlace(dataDir)
  await createCluster(place, { durable })
  const supervisor = new Supervisor({ place, settings: durable ? SETTINGS : { ...SETTINGS, ...NOT_DURABLE }, logger })
  await supervisor.start()
  try {
    await createPortalDatabase(place)
  } catch (error) {
    await supervisor.stop()
    throw error
  }
  return { url: urlOf(place, PORTAL_ROLE, PORTAL_DATABASE), superuserUrl: urlOf(place, SUPERUSER, 'postgres'), stop: () => supervisor.stop() }
}
