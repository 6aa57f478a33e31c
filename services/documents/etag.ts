import { createHash } from 'node:crypto'
import { packUuid } from '../uuid-text.js'
import { GZIP_SUFFIX } from './compressed-copy.js'

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
export function textEtag(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url')}"`
}

const ENTITY_TAG = /(W\/)?"([^"]*)"/g
const OWN_TAG = new RegExp(`^${DOCUMENT_FORMAT}-(?<row>[\\w-]{22})-(?<version>[0-9]{1,15})(?:${GZIP_SUFFIX})?$`)

/**
 * The versions of the row `id` that an If-Match header allows, by strong comparison (RFC 9110, 13.1.1): weak tags, those of another
 * format and of another row match nothing, the tag of a compressed answer stands for its version. `undefined` allows any version: no
 * header, or `*`.
 */
export function allowedVersions(ifMatch: string | undefined, id: string): number[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined
  const versions: number[] = []
  for (const [, weak, tag = ''] of ifMatch.matchAll(ENTITY_TAG)) {
    const { row, version } = OWN_TAG.exec(tag)?.groups ?? {}
    if (weak === undefined && row === packUuid(id)) versions.push(Number(version))
  }
  return versions
}
