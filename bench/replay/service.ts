/** The service in a process of its own, steered by the benchmark that forked it. */
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../../app.js'
import { loadConfig } from '../../plugins/config.js'
import { makeCatalogue } from './catalogue.js'
import type { Answers, Command, Reply } from './protocol.js'

const queries: Record<string, number> = {}
let running: FastifyInstance | undefined

process.on('message', (command: Command) => {
  answer(command).then(
    (answered) => send({ answer: answered }),
    (error: unknown) => send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
// The benchmark is gone, whatever ended it.
process.on('disconnect', () => process.exit(1))

function send(reply: Reply): void {
  process.send?.(reply)
}

async function answer(command: Command): Promise<Answers[Command['name']]> {
  if (command.name === 'start') return start(command.env)
  if (running === undefined) throw new Error(`${command.name} needs a service that has started`)
  switch (command.name) {
    case 'make-catalogue':
      return makeCatalogue(running, command.pages)
    case 'report': {
      const { user, system } = process.cpuUsage()
      const { redisErrors } = running.cache.stats()
      return { queries, redisErrors, cpuSeconds: (user + system) / 1_000_000 }
    }
    case 'delete-user':
      await running.users.delete(command.userId)
      return null
    case 'stop':
      await running.close()
      return null
  }
}

async function start(env: Readonly<Record<string, string | undefined>>): Promise<Answers['start']> {
  running = await buildApp(loadConfig(env), {
    onQuery: (name) => {
      queries[name] = (queries[name] ?? 0) + 1
    },
  })
  const address = new URL(await running.listen({ host: '127.0.0.1', port: 0 }))
  return { port: Number(address.port) }
}
