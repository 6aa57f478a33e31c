import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { CliContext } from './context.js'
import { CliError, EXIT } from './faults.js'
import { openOutput, type Output, printable } from './output.js'
import type { GlobalOptions } from './program.js'
import { type Body, openService, type Service } from './service.js'
import { type StreamEvent, eventsOf } from './events.js'

interface Options extends GlobalOptions {
  readonly since?: string
  readonly follow?: boolean
}

const PAGE = 1_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000
/** A comment comes every 15 s: who hears nothing for so long has a connection that is dead. */
const SILENCE_MS = 45_000

export function changesCommand(context: CliContext, program: Command): void {
  program
    .command('changes')
    .description(
      'what changed of the rows of the user whose token it is: a line each, and the cursor to go on from in the end',
    )
    .option('--since <cursor>', 'where to begin; --follow begins now when left out')
    .option('--follow', 'go on with what changes from here on, until Ctrl-C; a lost connection is made again')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      const output = openOutput(context, options.json === true)
      const service = await openService(context, options)
      if (options.follow === true) await follow(service, output, options.since, context.interruption())
      else await read(service, output, options.since)
    })
}

/** Everything from the cursor up to now; without one, the cursor of now alone. */
async function read(service: Service, output: Output, since: string | undefined): Promise<void> {
  let cursor = since
  for (;;) {
    const query = new URLSearchParams({ limit: `${PAGE}`, ...(cursor !== undefined && { since: cursor }) })
    const page = await service.ask(`api/changes?${query.toString()}`, 'next_cursor')
    for (const change of page.changes) tell(output, change)
    cursor = String(page.next_cursor)
    if (page.more !== true) break
  }
  if (output.isJson) output.json({ next_cursor: cursor }, { isLine: true })
  else output.line(`${output.styled('dim', 'go on with --since')} ${cursor}`)
}

/** The place in the feed is said on stderr in the end, so that the next one can go on there. */
async function follow(service: Service, output: Output, since: string | undefined, signal: AbortSignal): Promise<void> {
  let cursor = since
  let pauseMs = FIRST_PAUSE_MS
  while (!signal.aborted) {
    try {
      await stream(service, cursor, signal, ({ id, event, data }) => {
        pauseMs = FIRST_PAUSE_MS
        if (event === 'over') throw overBy(data)
        if (data !== '') tell(output, JSON.parse(data))
        // Only what has been told is behind us.
        if (id !== undefined) cursor = id
      })
    } catch (error) {
      if (signal.aborted) break
      if (!isPassing(error) || cursor === undefined) {
        if (!isOfCursor(error)) sayWhere(output, cursor)
        throw error
      }
      output.note(`${error instanceof Error ? error.message : String(error)} Going on in ${pauseMs / 1_000} s`)
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
  }
  sayWhere(output, cursor)
}

function sayWhere(output: Output, cursor: string | undefined): void {
  if (cursor !== undefined) output.note(`Go on with --since ${cursor}`)
}

/** There is no going on with this one. */
function isOfCursor(error: unknown): boolean {
  return error instanceof CliError && (error.code === 'CURSOR_EXPIRED' || error.code === 'INVALID_CURSOR')
}

async function stream(
  service: Service,
  cursor: string | undefined,
  signal: AbortSignal,
  onEvent: (event: StreamEvent) => void,
): Promise<void> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), SILENCE_MS)
  try {
    const headers = cursor === undefined ? {} : { 'last-event-id': cursor }
    const response = await service.stream('api/changes', headers, AbortSignal.any([signal, silence.signal]))
    for await (const event of eventsOf(response.body ?? [], () => timer.refresh())) onEvent(event)
  } finally {
    clearTimeout(timer)
  }
}

function overBy(data: string): CliError {
  const fault: Body = JSON.parse(data)
  return new CliError(`${fault.message} (${fault.code})`, EXIT.failed, fault.code)
}

/** Another attempt may do better: no answer, a broken connection, or a service that is too busy. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof CliError)) return true
  return (
    error.exitCode === EXIT.unreachable || error.code === 'SERVICE_UNAVAILABLE' || error.code === 'TOO_MANY_STREAMS'
  )
}

function tell(output: Output, change: Body): void {
  if (output.isJson) return output.json(change, { isLine: true })
  const { resource, id, kind, external_id: external, row } = change
  const word = kind === 'deleted' ? output.styled('red', 'deleted') : output.styled('green', 'changed')
  const version = row === undefined ? '' : `  version ${row.version}`
  output.line(
    `${word}  ${resource}/${id}${external === undefined ? '' : `  ${printable(JSON.stringify(external))}`}${version}`,
  )
}
