const ITEM = /^(?:(?<name>[A-Za-z0-9][\w.-]{0,63}):(?:(?<role>read|metrics):)?)?(?<token>[^:]*)$/

/** The parts of one item of ADMIN_TOKENS: `token`, `name:token`, `name:read:token` or `name:metrics:token`; `undefined` when it is none of them. */
export interface AdminTokenItem {
  readonly name: string
  readonly token: string
  /** `read`: only look; `metrics`: only at /metrics; `undefined`: everything. */
  readonly role: 'read' | 'metrics' | undefined
}

/** A token without a name is called by its place, `admin-1`. */
export function adminTokenItem(item: string, index: number): AdminTokenItem | undefined {
  const { name = `admin-${index + 1}`, role, token } = ITEM.exec(item)?.groups ?? {}
  if (token === undefined) return undefined
  return { name, token, role: role === 'read' || role === 'metrics' ? role : undefined }
}
