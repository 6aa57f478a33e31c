import type { JournalStore, RaisedTag } from '../../services/cache/index.js'

/**
 * A journal in this process that answers at once: for benchmarks of the tiers, where PostgreSQL would only take the
 * processor away. The engine follows it as any other, so its checks cost what they always cost.
 */
export function stillJournal(id: string): JournalStore {
  const versions = new Map<string, number>()
  let version = 0
  const raise = (tags: readonly string[]): RaisedTag[] =>
    tags.map((tag) => {
      versions.set(tag, ++version)
      return { tag, version }
    })
  return {
    identity: () => Promise.resolve({ id, secret: 'bench' }),
    renewIdentity: () => Promise.resolve(),
    versionOf: (tag) => Promise.resolve(versions.get(tag) ?? 0),
    raise: (tags) => Promise.resolve(raise(tags)),
    open: () => {
      let end: (() => void) | undefined
      const closed = new Promise<undefined>((resolve) => (end = () => resolve(undefined)))
      return Promise.resolve({
        tail: () => Promise.resolve({ cursor: '1', raised: [] }),
        closed,
        close: () => Promise.resolve(end?.()),
      })
    },
    changedWithin: () => Promise.resolve([]),
    countChangedWithin: () => Promise.resolve(0),
    prune: () => Promise.resolve(0),
  }
}
