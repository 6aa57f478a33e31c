import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import type { CliContext } from './context.js'
import { CliError, EXIT } from './faults.js'
import { openOutput, type Output, table } from './output.js'
import type { GlobalOptions } from './program.js'
import { type Body, openService, type Service } from './service.js'

interface Options extends GlobalOptions {
  readonly watch?: boolean
  readonly every: number
}

const CLEAR_SCREEN = '\x1b[H\x1b[J'

export function statsCommand(context: CliContext, program: Command): void {
  program
    .command('stats')
    .description('what the cache of the replica that answers has counted since its start')
    .option('--watch', 'again and again, with what happened in between, until Ctrl-C; as JSON a line each time')
    .option('--every <seconds>', 'how often --watch looks', seconds, 2)
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      const output = openOutput(context, options.json === true)
      const service = await openService(context, options)
      if (options.watch === true) await watch(service, output, options.every * 1_000, context.interruption())
      else {
        const stats = await service.ask('api/cache/stats', 'cache_stats')
        if (output.isJson) output.json(stats)
        else output.line(shown(output, stats))
      }
    })
}

/** A service that goes away is waited for; one that was never there is a fault. */
async function watch(service: Service, output: Output, everyMs: number, signal: AbortSignal): Promise<void> {
  let before: { readonly stats: Body; readonly at: number } | undefined
  while (!signal.aborted) {
    try {
      const [stats, at] = [await service.ask('api/cache/stats', 'cache_stats'), performance.now()]
      if (output.isJson) output.json(stats, { isLine: true })
      else output.line(CLEAR_SCREEN + shown(output, stats, before && { ...before, seconds: (at - before.at) / 1_000 }))
      before = { stats, at }
    } catch (error) {
      const isAway = error instanceof CliError && error.exitCode === EXIT.unreachable && before !== undefined
      if (!isAway) throw error
      output.note(`${error.message} Trying again`)
    }
    await sleep(everyMs, undefined, { signal }).catch(() => {})
  }
}

interface Earlier {
  readonly stats: Body
  readonly seconds: number
}

function shown(output: Output, stats: Body, earlier?: Earlier): string {
  const { cache_stats: counts, domains, service_status: status, last_health_check: at } = stats
  const rate = (name: string, now: unknown, then: unknown): (string | number)[] => {
    if (typeof now !== 'number') return [name, typeof now === 'string' || typeof now === 'boolean' ? `${now}` : '–']
    // Less than before: another replica answered, or it was started anew.
    if (earlier === undefined || typeof then !== 'number' || now < then) return [name, now]
    return [name, now, `${((now - then) / earlier.seconds).toFixed(1)}/s`]
  }
  const before = earlier?.stats.cache_stats ?? {}
  const { verified, ...plain } = counts
  const rows = Object.entries(plain).map(([name, value]) => rate(name, value, before[name]))
  const { confirmed, missed, undecided } = verified
  const ofDomains = Object.entries<Body>(domains).map(([name, domain]) => [
    name,
    domain.hits,
    domain.misses,
    `${domain.hit_rate_percent} %`,
    domain.loads,
    `${domain.load_ms_p50} / ${domain.load_ms_p99} ms`,
  ])
  return [
    `${output.styled('bold', String(status))}  ${output.styled('dim', String(at))}`,
    '',
    table([...rows, ['verified', confirmed], ['verified, missed', missed], ['verified, undecided', undecided]]),
    ...(ofDomains.length === 0
      ? []
      : ['', table([['domain', 'hits', 'misses', 'hit rate', 'loads', 'load p50 / p99'], ...ofDomains])]),
  ].join('\n')
}

function seconds(text: string): number {
  const value = Number(text)
  if (!(value >= 0.1 && value <= 86_400)) throw new InvalidArgumentError('It must be seconds, from 0.1 to 86400.')
  return value
}
