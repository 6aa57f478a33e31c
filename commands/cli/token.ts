import type { Command } from 'commander'
import type { CliContext } from './context.js'
import { openOutput } from './output.js'
import type { GlobalOptions } from './program.js'
import { idOf, openService } from './service.js'

interface CreateOptions extends GlobalOptions {
  readonly user: string
  readonly name: string
  readonly expires?: string
}

interface RevokeOptions extends GlobalOptions {
  readonly user: string
}

export function tokenCommand(context: CliContext, program: Command): void {
  const command = program.command('token').description('API tokens of a user; an administrator, or that user')
  command
    .command('create')
    .description('make a token; its text is shown this once, and alone on the standard output at a terminal')
    .requiredOption('--user <id>', 'whose')
    .requiredOption('--name <name>', 'what it is for')
    .option('--expires <time>', 'ISO 8601, such as 2030-01-31T00:00:00Z; never when left out')
    .action(async (_options, child: Command) => {
      const { user, name, expires, ...options } = child.optsWithGlobals<CreateOptions>()
      const output = openOutput(context, options.json === true)
      const service = await openService(context, options)
      const issued = await service.ask(pathOf(user), 'token', {
        method: 'POST',
        body: { name, ...(expires !== undefined && { expires_at: expires }) },
      })
      if (output.isJson) return output.json(issued)
      output.note(
        `Token ${issued.id}, good ${issued.expires_at === null ? 'until revoked' : `to ${issued.expires_at}`}:`,
      )
      output.line(issued.token)
    })
  command
    .command('revoke')
    .description('revoke a token, and those that were made with it')
    .argument('<token id>', 'its id, not its text')
    .requiredOption('--user <id>', 'whose')
    .action(async (id: string, _options, child: Command) => {
      const { user, ...options } = child.optsWithGlobals<RevokeOptions>()
      const output = openOutput(context, options.json === true)
      const service = await openService(context, options)
      await service.tell(`${pathOf(user)}/${idOf('token', id)}`, { method: 'DELETE' })
      if (output.isJson) output.json({ revoked: id })
      else output.line(`Revoked ${id}`)
    })
}

function pathOf(userId: string): string {
  return `api/users/${idOf('user', userId)}/tokens`
}
