import type { Command } from 'commander'
import type { CliContext } from './context.js'
import { openOutput } from './output.js'
import type { GlobalOptions } from './program.js'
import { idOf, openService } from './service.js'

export function clearCommand(context: CliContext, program: Command): void {
  const command = program.command('clear').description('empty the cache, on all replicas')
  command
    .command('user')
    .description('what one user owns; an administrator, or that user')
    .argument('<id>', 'the id of the user')
    .action((id: string, _options, child: Command) => clear(context, child, `user/${idOf('user', id)}`))
  command
    .command('template')
    .description('one template, its lists and what is made from it; an administrator, or its owner')
    .argument('<id>', 'the id of the template')
    .action((id: string, _options, child: Command) => clear(context, child, `template/${idOf('template', id)}`))
  command
    .command('all')
    .description('everything; an administrator')
    .action((_options, child: Command) => clear(context, child, ''))
}

async function clear(context: CliContext, command: Command, what: string): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>()
  const output = openOutput(context, options.json === true)
  const service = await openService(context, options)
  const path = what === '' ? 'api/cache/clear' : `api/cache/clear/${what}`
  const cleared = await service.ask(path, 'cleared', { method: 'POST' })
  if (output.isJson) output.json(cleared)
  else output.line(`${cleared.message} (${cleared.tags} ${cleared.tags === 1 ? 'tag' : 'tags'})`)
}
