import type { Command } from 'commander'
import type { CliContext } from './context.js'
import { EXIT } from './faults.js'
import { openOutput, type Output, table } from './output.js'
import type { GlobalOptions } from './program.js'
import { openService } from './service.js'

export function healthCommand(context: CliContext, program: Command): void {
  program
    .command('health')
    .description('whether the service can serve, and how each of its parts is; exit code 1 when it can not')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const output = openOutput(context, options.json === true)
      const service = await openService(context, options)
      const health = await service.ask('api/cache/health', 'cache_health', { accepts: [503] })
      if (output.isJson) output.json(health)
      else {
        const { overall: _overall, redis_refuses: refuses, ...parts } = health.cache_health
        const rows = Object.entries(parts).map(([name, word]) => [name, coloured(output, String(word))])
        const { hit_rate_percent: rate, hits } = health.performance_stats
        output.line(
          table([
            ['status', coloured(output, health.status)],
            ['state', health.state],
            ...rows,
            ...(refuses === null ? [] : [['redis refuses', String(refuses)]]),
            ['up for', duration(health.uptime_seconds)],
            ['hit rate', `${rate} % (${Number(hits).toLocaleString('en-US')} hits)`],
          ]),
        )
      }
      context.exitCode = health.status === 'unhealthy' ? EXIT.failed : EXIT.done
    })
}

function coloured(output: Output, word: string): string {
  if (word === 'healthy') return output.styled('green', word)
  if (word === 'unhealthy' || word === 'unavailable') return output.styled('red', word)
  return word === 'disabled' ? output.styled('dim', word) : output.styled('yellow', word)
}

/** `3 d 4 h`, `5 min 6 s`: the two largest parts. */
export function duration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [Math.floor(seconds) % 60, 's'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  const shown = first === -1 ? parts.slice(-1) : parts.slice(first, first + 2)
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ')
}
