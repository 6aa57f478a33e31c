/** A contender's process: opens what it is told to, takes its turns, and ends when the benchmark does. */
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
      return turn(order.ms)
    }
    case 'close':
      await contender?.close()
      return {}
  }
}
