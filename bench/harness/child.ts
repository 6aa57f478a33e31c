/** A contender's process: opens what it is told to, takes its turns, and ends when the benchmark does. */
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import type { Contender, Contenders, Sample } from './contender.js'
import type { Order, Reply } from './contender-process.js'

let contender: Contender | undefined

process.on('message', (order: Order) => {
  answer(order).then(
    (sample) => say({ sample }),
    (error: unknown) => say({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
process.on('disconnect', () => process.exit(1))

function say(reply: Reply): void {
  process.send?.(reply)
}

async function answer(order: Order): Promise<Sample> {
  switch (order.kind) {
    case 'open': {
      const { contenders } = (await import(order.module)) as { readonly contenders: Contenders }
      const open = contenders[order.name]
      if (open === undefined) throw new Error(`${order.module} has no contender ${order.name}`)
      contender = await open(order.parameters)
      return {}
    }
    case 'turn': {
      const turn = contender?.turns[order.turn]
      if (turn === undefined) throw new Error(`There is no turn ${order.turn}`)
      const run = (): Promise<Sample> => turn(order.ms, order.perSecond)
      return order.profile === undefined ? run() : profiled(order.profile, run)
    }
    case 'close':
      await contender?.close()
      return {}
  }
}

async function profiled(file: string, work: () => Promise<Sample>): Promise<Sample> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 200 })
  await session.post('Profiler.start')
  const sample = await work()
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  writeFileSync(file, JSON.stringify(profile))
  return sample
}
