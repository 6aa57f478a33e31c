const BYTES = 16

/** The 16 bytes of a UUID in 22 characters of base64url. */
export function packUuid(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')
}

/** The UUID, in lower case, that {@link packUuid} made `text` from; `undefined` for any other text. */
export function unpackUuid(text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== BYTES || bytes.toString('base64url') !== text) return undefined
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
