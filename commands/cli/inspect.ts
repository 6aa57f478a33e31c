import type { Command } from 'commander'
import type { CliContext } from './context.js'
import { openOutput, table } from './output.js'
import type { GlobalOptions } from './program.js'
import { type Body, openService } from './service.js'

/** Keys begin with an id or a name. The host of an address says nothing: --url names the service. */
const URL_OR_PATH = /^(https?:\/\/|\/)/i

export function inspectCommand(context: CliContext, program: Command): void {
  program
    .command('inspect')
    .description('what each tier holds under a key, and whether an answer may be made from it; an administrator')
    .argument(
      '<key or url>',
      'a key of the cache, or what is asked for: /api/designs/… or a whole address, as in a log',
    )
    .option('--user <id>', 'whose answer, where the path does not tell')
    .action(async (what: string, _options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly user?: string }>()
      const output = openOutput(context, options.json === true)
      const service = await openService(context, options)
      const query = new URLSearchParams({ [URL_OR_PATH.test(what) ? 'url' : 'key']: what })
      if (options.user !== undefined) query.set('user_id', options.user)
      const found = await service.ask(`api/cache/inspect?${query.toString()}`, 'verdict')
      if (output.isJson) return output.json(found)
      const { key, verdict, seen, memory, redis } = found
      output.line(
        table([
          ['key', String(key)],
          ['verdict', output.styled('bold', String(verdict))],
          ['seen', seen],
        ]),
      )
      output.line('')
      output.line(
        table([
          ['', 'memory', 'redis'],
          ...['present', 'state', 'verdict', 'age_ms', 'ttl_ms', 'negative', 'snapshot'].map((name) => [
            name,
            cell(memory[name]),
            cell(redis[name]),
          ]),
        ]),
      )
      const tags: Body[] = [...memory.tags, ...redis.tags]
      if (tags.length === 0) return
      const known = new Map(tags.map((tag) => [tag.tag, tag]))
      output.line('')
      output.line(
        table([
          ['tag', 'last change', 'shown', 'in doubt'],
          ...[...known.values()].map(({ tag, last_change: last, shown, in_doubt: doubt }) => [
            tag,
            cell(last),
            cell(shown),
            cell(doubt),
          ]),
        ]),
      )
    })
}

function cell(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return typeof value === 'string' || typeof value === 'number' ? `${value}` : '–'
}
