import t from 'tap'
import { BatchedMget } from '../../../services/cache/batched-mget.js'

/** A client that answers each name with itself, `null` for what begins with "no". */
function setUp(options: { fails?: boolean } = {}) {
  const commands: string[][] = []
  const mget = async (names: string[]): Promise<(string | null)[]> => {
    commands.push(names)
    if (options.fails === true) throw new Error('Command timed out')
    return names.map((name) => (name.startsWith('no') ? null : name))
  }
  const unused = () => Promise.reject(new Error('not asked for'))
  const client = {
    status: 'ready',
    mget,
    get: unused,
    pttl: unused,
    ping: unused,
    eval: unused,
    evalsha: unused,
    on() {},
    off() {},
  }
  const ends: (() => void)[] = []
  const batched = new BatchedMget({ client, run: (command) => command(), endOfRun: (work) => void ends.push(work) })
  return { batched, commands, endRun: () => ends.splice(0).forEach((work) => work()) }
}

t.test('reads of one run share a command, and each gets its own values', async (t) => {
  const { batched, commands, endRun } = setUp()
  const reads = [batched.get('', ['a', 'tag']), batched.get('', ['b', 'tag']), batched.get('', ['nothing', 'tag'])]
  t.same(commands, [])
  endRun()
  t.same(await Promise.all(reads), [
    ['a', 'tag'],
    ['b', 'tag'],
    [null, 'tag'],
  ])
  t.same(commands, [['a', 'tag', 'b', 'nothing']])
})

t.test('the next run begins a command of its own', async (t) => {
  const { batched, commands, endRun } = setUp()
  const first = batched.get('', ['a'])
  endRun()
  const second = batched.get('', ['a'])
  endRun()
  t.same(await Promise.all([first, second]), [['a'], ['a']])
  t.equal(commands.length, 2)
})

t.test('different slots never share a command', async (t) => {
  const { batched, commands, endRun } = setUp()
  const reads = [batched.get('one', ['a']), batched.get('two', ['b'])]
  endRun()
  await Promise.all(reads)
  t.same(commands, [['a'], ['b']])
})

t.test('a command that has grown long goes out at once', async (t) => {
  const { batched, commands, endRun } = setUp()
  const reads = Array.from({ length: 600 }, (_, n) => batched.get('', [`k${n}`]))
  t.same(
    commands.map((names) => names.length),
    [512],
  )
  endRun()
  t.same(
    commands.map((names) => names.length),
    [512, 88],
  )
  t.same(
    (await Promise.all(reads)).flat(),
    Array.from({ length: 600 }, (_, n) => `k${n}`),
  )
})

t.test('a command that fails fails every read in it', async (t) => {
  const { batched, endRun } = setUp({ fails: true })
  const reads = [batched.get('', ['a']), batched.get('', ['b'])]
  endRun()
  for (const read of reads) await t.rejects(read, { message: 'Command timed out' })
})
