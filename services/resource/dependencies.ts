import type { TieredCache } from '../cache/index.js'
import type { Database } from '../database/database.js'
import type { Document } from '../documents/document.js'
import type { ResourceDefinition } from './definition.js'
import type { LoadQueue } from './lists/load-queue.js'

/** What a service is built from. */
export interface ServiceDependencies {
  readonly database: Database
  readonly cache: TieredCache
  /** In which loads of many rows wait. */
  readonly loadQueue: LoadQueue
  /** In which bulk writes wait, one of each user at a time: they take long, and nobody's lists wait for them. */
  readonly bulkQueue: LoadQueue
  /** The version token of a committed transaction: a read that requires it is never older. */
  readonly versionOf: (transaction: number) => string
  /** Every resource, in the order in which writers lock rows. */
  readonly resources: readonly ResourceDefinition[]
}

/** A row that was just written. */
export interface Saved {
  readonly id: string
  readonly document: Document
  /** The write's version token. */
  readonly version: string
  /** Nothing was written now: it is the answer to an earlier request with the same key. */
  readonly isRepeated?: boolean
}
