import { InvalidVersionTokenError, type TieredCache } from '../cache/index.js'
import { InvalidVersionError } from '../errors.js'

/**
 * From here on, reads that depend on `tags` are at least as new as the write whose version token this is.
 * @throws InvalidVersionError; DatabaseUnavailableError when only the journal can tell what the write changed
 */
export async function requireVersion(cache: TieredCache, tags: readonly string[], token: string): Promise<void> {
  try {
    await cache.require(tags, token)
  } catch (error) {
    throw error instanceof InvalidVersionTokenError ? new InvalidVersionError() : error
  }
}
