import type { Command } from 'commander'
import type { CliContext } from './context.js'
import { openOutput, table } from './output.js'
import type { GlobalOptions } from './program.js'
import { openService } from './service.js'

interface Options extends GlobalOptions {
  readonly email: string
  readonly shopName: string
  readonly role?: string
  readonly plan?: string
}

export function userCommand(context: CliContext, program: Command): void {
  const command = program.command('user').description('users of the service')
  command
    .command('create')
    .description('make a user; an administrator')
    .requiredOption('--email <address>', 'unique among users')
    .requiredOption('--shop-name <name>', 'the name of their shop')
    .option('--role <role>', 'owner, admin or member (the default)')
    .option('--plan <plan>', 'the subscription: free (the default), basic, pro or enterprise')
    .action(async (_options, child: Command) => {
      const options = child.optsWithGlobals<Options>()
      const output = openOutput(context, options.json === true)
      const service = await openService(context, options)
      const user = await service.ask('api/users', 'shop_name', {
        method: 'POST',
        body: {
          email: options.email,
          shop_name: options.shopName,
          ...(options.role !== undefined && { role: options.role }),
          ...(options.plan !== undefined && { subscription_plan: options.plan }),
        },
      })
      if (output.isJson) return output.json(user)
      output.line(table(Object.entries(user).map(([name, value]) => [name, String(value)])))
    })
}
