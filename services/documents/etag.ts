import { createHash } from 'node:crypto'
import { InvalidRequestError } from '../errors.js'
import { packUuid } from '../uuid-text.js'

/**
 * Changes when the JSON of the same row version changes its shape, or ETags theirs, so that an old ETag never vouches for it. Redis
 * keeps documents of each format apart: two releases side by side do not answer with each other's.
 */
export const DOCUMENT_FORMAT = '3'

/**
 * The strong ETag of one version of a row. It names the row: `/api/users/me` is another one for each token, and a browser that
 * kept the profile of the last user must not be told that it is the next one's too.
 */
export function rowEtag(id: string, version: number): string {
  return `"${DOCUMENT_FORMAT}-${packUuid(id)}-${version}"`
}

/** The strong ETag of a text that has no version of its own: a list. */
export function textEtag(text: string | Buffer): string {
  return `"${createHash('sha256').update(text).digest('base64url')}"`
}

/** Entity tags in a list, empty members allowed (RFC 9110, 5.6.1 and 8.8.3). */
const TAG_LIST = /^[\t ,]*(?:(?:W\/)?"[!#-~\u0080-\u00ff]*"[\t ]*(?:,[\t ,]*|$))+$/
const OPAQUE = /"([^"]*)"/g

/**
 * What proxies put behind a tag, inside of its quotes, when they compress what has it: `-gzip`, `--gzip`, `;gzip`, `-br`. Only ever looked for at a known
 * place: sought for at the end of a tag of 16 KB that a caller makes up, it would hold the event loop for a tenth of a second.
 */
const CODINGS = '(?:(?:--?|;)(?:x-gzip|gzip|br|zstd|deflate))*$'

const ONLY_CODINGS = new RegExp(`^${CODINGS}`)

const OWN_TAG = new RegExp(`^${DOCUMENT_FORMAT}-(?<row>[\\w-]{22})-(?<version>[0-9]{1,15})${CODINGS}`)

/** What `If-Match` and `If-None-Match` may be. */
export function isTagList(value: string): boolean {
  return value.trim() === '*' || TAG_LIST.test(value)
}

/**
 * The tags that a header names, without their quotes and without the mark of a weak one; `*` for any.
 * @throws InvalidRequestError when it is no list of entity tags
 */
export function tagsIn(header: string, value: string): readonly string[] | '*' {
  if (!isTagList(value)) {
    throw new InvalidRequestError(`headers: ${header} must be * or ETags in their quotes, separated by commas`)
  }
  if (value.trim() === '*') return '*'
  return [...value.matchAll(OPAQUE)].map(([, tag = '']) => tag)
}

/*
 * A proxy that compresses an answer marks its tag as weak, or adds to it. Ours name the version of a row, or the content of a list, and
 * never the bytes on the way: whoever has such a form of a tag has seen just what the tag names. So it stands for it, in If-Match
 * as well, where RFC 9110 wants strong comparison. What that guards against, other content under the same weak tag, there is not:
 * every change of a row makes another version, and the version is compared where it is written.
 */

/** Whether one of these tags names what has the ETag `etag`. */
export function isTagged(tags: readonly string[] | '*', etag: string): boolean {
  if (tags === '*') return true
  const own = etag.slice(1, -1)
  return tags.some((tag) => tag.startsWith(own) && ONLY_CODINGS.test(tag.slice(own.length)))
}

/** The versions of the row `id` that these tags name; `undefined` for any. Tags of another format and of another row name none. */
export function versionsIn(tags: readonly string[] | '*', id: string): number[] | undefined {
  if (tags === '*') return undefined
  const packed = packUuid(id)
  return tags.flatMap((tag) => {
    const { row, version } = OWN_TAG.exec(tag)?.groups ?? {}
    return row === packed ? [Number(version)] : []
  })
}
