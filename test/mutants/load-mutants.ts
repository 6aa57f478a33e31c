import { type Mutant, mutant, serviceMutant } from './mutant.js'

/** What is looked at again, and what waits for the database. */
export const LOAD_MUTANTS: readonly Mutant[] = [
  mutant(
    'a hit is compared only while no change of it is known',
    'verifier',
    '!isSettled || snapshot === undefined || !knowledge.isCurrent(provenance, slots)',
    '!isSettled || snapshot === undefined',
    'verifier',
  ),
  mutant(
    'a hit is compared after a tail that followed its load',
    'verifier',
    'const isSettled = await follower.settled()',
    'const isSettled = slots.length > 0',
    'verifier',
  ),
  mutant('a missed invalidation heals', 'verifier', 'await journal.touch(tags.slice(0, 1))', '', 'verifier'),
  mutant('so many hits a second are compared', 'verifier', ' || !this.#isDue()', '', 'verifier'),
  mutant(
    'the right share of hits is compared',
    'verifier',
    '1 + Math.floor(Math.log(1 - this.#replica.settings.random()) / Math.log(1 - share))',
    '1 + Math.floor(1 / share / 4)',
    'verifier',
  ),
  serviceMutant(
    'a write waits for longer than a load',
    'database/admission',
    '(isWrite ? longestWriteWaitMs : longestWaitMs)',
    'longestWaitMs',
    'services/database/admission',
  ),
  serviceMutant(
    'a load does not wait for what its user writes',
    'database/admission',
    'isWrite ? `writes of ${user}` : user',
    'user',
    'services/database/admission',
  ),
  serviceMutant(
    'an export ends with its token',
    'export/exports',
    'if (!(await isAllowed())) throw new UnauthorizedError()',
    'await isAllowed()',
    'routes/api/export',
  ),
  serviceMutant(
    'a bulk that is refused is done one by one',
    'resource/bulk/bulk',
    'if (!(done instanceof Error)) return done',
    'if (!(done instanceof Error)) return done\n      return run.map(() => done)',
    'routes/api/bulk',
  ),
  serviceMutant(
    'a row that somebody made meanwhile is replaced',
    'resource/service',
    'again(work, isMadeMeanwhile)',
    'work()',
    'routes/api/replace',
  ),
  serviceMutant(
    'a write that lost a deadlock begins anew',
    'resource/service',
    '() => again(work, isDeadlock)',
    'work',
    'replicas/bulk-beside-writes',
  ),
  serviceMutant(
    'a row of another user is no row, also where reads share a statement',
    'resource/sql/rows',
    'row?.user_id !== userId.toLowerCase()',
    'row === undefined',
    'routes/api/reads-of-a-turn',
  ),
]
