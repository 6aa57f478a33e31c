const ITEM = /^(?:(?<name>[A-Za-z0-9][\w.-]{0,63}):(?<read>read:)?)?(?<token>[^:]*)$/

/** The parts of one item of ADMIN_TOKENS: `token`, `name:token`, or `name:read:token`; `undefined` when it is none of them. */
export interface AdminTokenItem {
  readonly name: string
  readonly token: string
  readonly isReadOnly: boolean
}

/** A token without a name is called by its place, `admin-1`. */
export function adminTokenItem(item: string, index: number): AdminTokenItem | undefined {
  const { name = `admin-${index + 1}`, read, token } = ITEM.exec(item)?.groups ?? {}
  return token === undefined ? undefined : { name, token, isReadOnly: read !== undefined }
}
