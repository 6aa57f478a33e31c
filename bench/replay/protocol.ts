/** What the benchmark asks of the service's process; one answer follows each command. */
export type Command =
  | { readonly name: 'start'; readonly env: Readonly<Record<string, string | undefined>> }
  | { readonly name: 'make-catalogue'; readonly pages: number }
  | { readonly name: 'report' }
  | { readonly name: 'delete-user'; readonly userId: string }
  | { readonly name: 'stop' }

/** Who asks, and the design of each page of the trace. */
export interface Catalogue {
  readonly userId: string
  readonly token: string
  readonly designIds: readonly string[]
}

/** What the process has counted since its start. */
export interface ServiceReport {
  /** Statements sent to the database, by name. */
  readonly queries: Readonly<Record<string, number>>
  readonly redisErrors: number
  readonly cpuSeconds: number
}

export interface Answers {
  start: { readonly port: number }
  'make-catalogue': Catalogue
  report: ServiceReport
  'delete-user': null
  stop: null
}

export type Reply = { readonly answer: unknown } | { readonly error: string }
