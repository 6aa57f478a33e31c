import type { EntryOptions, Lookup } from '../../cache/index.js'
import { foundAs, textsIn } from '../../documents/combined-lookup.js'
import type { Document } from '../../documents/document.js'
import { IdPage } from '../../documents/id-page.js'
import { LARGE_WORK, ownTurn } from '../../documents/own-turn.js'
import { PageDocument } from '../../documents/page-document.js'
import { pageDocument } from '../../documents/row-document.js'
import { type EntryAddress, listTag, ownerTag, rowTag } from '../addresses.js'
import type { Resource } from '../resource.js'
import { TooManyLargeError } from '../sql/bounded-rows.js'
import { encodeCursor } from './cursor.js'
import { gather, type Gathered } from './gather.js'
import type { Selection } from './list-query.js'

/** How often a page is read anew because a row of it is gone. */
const MOST_ATTEMPTS = 3
/** How many rows are read in the first go where some are large. */
const FIRST_LARGE = 4

/** Whose page it is, and which. */
interface Asked {
  readonly userId: string
  readonly selection: Selection
}

/** A page as the database has it. */
interface Loaded {
  readonly page: IdPage
  /** Of the first `end` ids; the page gets too long behind them. */
  readonly documents: ReadonlyMap<string, Document>
  readonly end: number
}

type Part = Lookup<Document>

/**
 * Pages of a resource's lists. The cache holds three things of a page: which rows it has (an {@link IdPage}, in both tiers), the document of each row
 * (the one that a read of the row answers with), and in memory the page as it was put together from these. That last one carries the tags of all the others
 * and is judged like every entry, so it is answered as long as none of them has changed, and costs one look at memory.
 */
export class Pages {
  readonly #resource: Resource

  constructor(resource: Resource) {
    this.#resource = resource
  }

  /** One page when memory holds it put together; never waits. */
  peek(userId: string, selection: Selection): Lookup<Document> | undefined {
    const { addresses, dependencies } = this.#resource
    const { cache } = dependencies
    const key = addresses.pageKey(userId, selection.canonical)
    const hit = cache.peek<Document>(key)
    if (hit !== undefined && cache.isToBeVerified()) {
      const asked = { userId, selection }
      cache.verify(key, this.#optionsOf(asked, []), () => this.#fromDatabase(asked))
    }
    return hit
  }

  async read(userId: string, selection: Selection): Promise<Lookup<Document>> {
    const asked = { userId, selection }
    try {
      return await this.#read(asked)
    } catch (error) {
      const { cache } = this.#resource.dependencies
      if (cache.isolatedMs < 0) throw error
      // A part of it can't be had, but memory may hold the page as it was put together before.
      const key = this.#resource.addresses.pageKey(userId, selection.canonical)
      const found = await cache.getOrLoad<Document>(key, this.#optionsOf(asked, []), () => Promise.reject(error))
      return { ...found, ageMs: found.ageMs + (found.value instanceof PageDocument ? found.value.ageMs : 0) }
    }
  }

  async #read(asked: Asked): Promise<Lookup<Document>> {
    const { cache } = this.#resource.dependencies
    const { name } = this.#resource.definition
    const list = this.#addressOf(asked)
    for (let attempt = 1; ; attempt += 1) {
      // What the parts are found current by, or loaded under, is this or later: so the page shows all that this shows.
      const begun = cache.begin()
      let own: Loaded | undefined
      const found = await cache.getOrLoad<IdPage>(list.key, list, async () => {
        own = await this.#load(asked, { isKept: true })
        return own.page
      })
      const page = found.value
      if (page === undefined) throw new Error(`${list.key}: a list is never missing`)
      // A load in the background may have come in between.
      const gathered = await (own?.page === page ? partsOf(own, found) : this.#partsOf(asked, page))
      if (gathered.isCut && page.isShort) cache.set(list.key, list, page.withLongRows, begun)
      const isGone = gathered.parts.some(({ value }) => value === undefined)
      if (!isGone || attempt === MOST_ATTEMPTS) {
        return this.#answer(asked, { page, gathered, parts: [found, ...gathered.parts], isGone, begun })
      }
      // What took the row away has raised the list's tag with it, or another owner's.
      cache.doubt([listTag(name, asked.userId)])
    }
  }

  /** Puts the page together, or takes what another reader has put together meanwhile. */
  async #answer(
    asked: Asked,
    {
      page,
      gathered,
      parts,
      isGone,
      begun,
    }: {
      readonly page: IdPage
      readonly gathered: Gathered<Part>
      /** The page's own, and that of each row. */
      readonly parts: readonly Lookup[]
      readonly isGone: boolean
      readonly begun: ReturnType<Resource['dependencies']['cache']['begin']>
    },
  ): Promise<Lookup<Document>> {
    const { cache } = this.#resource.dependencies
    const key = this.#resource.addresses.pageKey(asked.userId, asked.selection.canonical)
    const as = foundAs(parts)
    const isKept = !isGone && (as.outcome === 'hit' || as.outcome === 'miss')
    if (gathered.bytes > LARGE_WORK) await ownTurn()
    const held = isKept ? cache.held<Document>(key)?.value : undefined
    if (held !== undefined) return { ...as, value: held }
    const ages = parts.map(({ ageMs }) => ageMs)
    const value = textOf(asked, page, gathered, Math.max(...ages))
    const ttl = Math.min(...parts.map(({ ttlMs }) => ttlMs))
    if (isKept && ttl > 0) cache.set(key, { ...this.#optionsOf(asked, page.ids), ttl }, value, begun)
    return { ...as, value }
  }

  /** The documents of a page, from their own entries: all at once unless they turn out to be large. */
  async #partsOf({ userId }: Asked, { ids, isShort }: IdPage): Promise<Gathered<Part>> {
    const documents = (some: readonly string[]): Promise<Part[]> => this.#resource.documents(userId, some)
    if (!isShort) return gather(ids, FIRST_LARGE, documents)
    try {
      return await gather(ids, ids.length, (all) => this.#resource.documents(userId, all, FIRST_LARGE))
    } catch (error) {
      if (!(error instanceof TooManyLargeError)) throw error
      return gather(ids, FIRST_LARGE, documents)
    }
  }

  /** For the verifier: the page as the database has it now. */
  async #fromDatabase(asked: Asked): Promise<Document> {
    const loaded = await this.#load(asked, { isKept: false })
    return textOf(asked, loaded.page, await partsOf(loaded, {}))
  }

  /** @param options `isKept`: the cache gets the documents that it does not have */
  async #load({ userId, selection }: Asked, { isKept }: { readonly isKept: boolean }): Promise<Loaded> {
    const { rows, dependencies } = this.#resource
    const { cache, database, loadQueue } = dependencies
    const { begun, found } = await loadQueue.run(userId, async (since) => {
      const begun = cache.begin()
      return { begun, found: await rows.list(database.ofUser(userId, since), userId, selection) }
    })
    const documents = new Map(found.rows.map((row) => [row.id, this.#resource.document(row)]))
    for (const [id, document] of isKept ? documents : []) {
      const entry = this.#resource.entry(userId, id)
      if (cache.held(entry.key) === undefined) cache.set(entry.key, entry, document, begun)
    }
    const { ids, sortValues, nextCursor, isShort, total, end } = found
    return { page: new IdPage({ ids, sortValues, nextCursor, isShort, total }), documents, end }
  }

  #addressOf({ userId, selection }: Asked): EntryAddress {
    return this.#resource.addresses.list(userId, selection.canonical)
  }

  /**
   * Of a page as it was put together from the rows `ids`. The owner's tag is the first: the verifier raises that one, and who finds that such a page is
   * wrong does not know which part of it is.
   */
  #optionsOf(asked: Asked, ids: readonly string[]): EntryOptions {
    const { name } = this.#resource.definition
    const { tags, domain, mayServeOnError } = this.#addressOf(asked)
    const rows = ids.map((id) => rowTag(name, asked.userId, id))
    return {
      tags: [...new Set([ownerTag(asked.userId), ...tags, ...rows])],
      domain,
      mayServeOnError,
      grace: 0,
      inRedis: false,
    }
  }
}

/** The rows of a page that was loaded just now. */
async function partsOf<As extends object>(
  { page, documents, end }: Loaded,
  as: As,
): Promise<Gathered<As & { readonly value: Document | undefined }>> {
  const gathered = await gather(page.ids.slice(0, end), end, async (ids) =>
    ids.map((id) => ({ ...as, value: documents.get(id) })),
  )
  return { ...gathered, isCut: gathered.isCut || end < page.ids.length }
}

function textOf(
  { selection }: Asked,
  { ids, sortValues, nextCursor, total }: IdPage,
  { parts, isCut }: Gathered<{ readonly value: Document | undefined }>,
  ageMs = 0,
): Document {
  const last = parts.length - 1
  const cursor = isCut ? encodeCursor(selection.list, ids[last] ?? '', sortValues?.[last]) : nextCursor
  return pageDocument(textsIn(parts), cursor, total, ageMs)
}
