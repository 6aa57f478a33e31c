import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { until } from './deadline.js'

/** Collects garbage until nothing of this is left. */
export async function freed(refs: readonly WeakRef<object>[]): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const isFreed = (): boolean => {
    collect()
    return refs.every((ref) => ref.deref() === undefined)
  }
  await until(isFreed, { describe: 'all of it is freed' })
}
