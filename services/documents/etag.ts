import { createHash } from 'node:crypto'
import { GZIP_SUFFIX } from './compressed-copy.js'

/** Changes when the JSON of the same row version changes its shape, so that an old ETag never vouches for it. */
const FORMAT = '1'

/** The strong ETag of one version of a row. */
export function rowEtag(version: number): string {
  return `"${FORMAT}-${version}"`
}

/** The strong ETag of a text that has no version of its own: a list. */
export function textEtag(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url')}"`
}

const ENTITY_TAG = /(W\/)?"([^"]*)"/g
const OWN_TAG = new RegExp(`^${FORMAT}-([0-9]{1,15})(?:${GZIP_SUFFIX})?$`)

/**
 * The row versions that an If-Match header allows, by strong comparison (RFC 9110, 13.1.1): weak tags and tags of
 * another format match nothing, the tag of a compressed answer stands for its version. `undefined` allows any version: no header, or `*`.
 */
export function allowedVersions(ifMatch: string | undefined): number[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined
  const versions: number[] = []
  for (const [, weak, tag = ''] of ifMatch.matchAll(ENTITY_TAG)) {
    const version = OWN_TAG.exec(tag)?.[1]
    if (weak === undefined && version !== undefined) versions.push(Number(version))
  }
  return versions
}
