import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Answers, Command, Reply } from './protocol.js'

const PROGRAM = fileURLToPath(new URL('./service.ts', import.meta.url))

/** The running service: a process of its own, so that load and service share no event loop. */
export class ServiceProcess {
  readonly port: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  /** @throws Error with what kept it from starting */
  static async start(env: Readonly<Record<string, string | undefined>>): Promise<ServiceProcess> {
    // Log lines go nowhere, but they are written. The loader of TypeScript comes along in execArgv.
    const child = fork(PROGRAM, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    try {
      const { port } = await ask(child, { name: 'start', env })
      return new ServiceProcess(child, port)
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }

  /** One command at a time. */
  ask<Asked extends Command>(command: Asked): Promise<Answers[Asked['name']]> {
    return ask(this.#child, command)
  }

  /** Closes the service in an orderly way and ends its process. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    await this.ask({ name: 'stop' }).catch(() => undefined)
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

function ask<Asked extends Command>(child: ChildProcess, command: Asked): Promise<Answers[Asked['name']]> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      child.off('message', onReply)
      child.off('exit', onExit)
    }
    const onReply = (message: unknown): void => {
      settle()
      const reply = message as Reply
      if ('error' in reply) reject(new Error(`The service could not ${command.name}: ${reply.error}`))
      else resolve(reply.answer as Answers[Asked['name']])
    }
    const onExit = (code: number | null): void => {
      settle()
      reject(new Error(`The service ended (${code ?? 'by a signal'}) when asked to ${command.name}`))
    }
    child.on('message', onReply)
    child.on('exit', onExit)
    child.send(command)
  })
}
