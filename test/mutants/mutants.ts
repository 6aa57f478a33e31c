import { CHANGES_MUTANTS } from './changes-mutants.js'
import { CORE_MUTANTS } from './core-mutants.js'
import { INPUT_MUTANTS } from './input-mutants.js'
import type { Mutant } from './mutant.js'
import { JOURNAL_MUTANTS } from './journal-mutants.js'
import { LIST_MUTANTS } from './list-mutants.js'
import { LOAD_MUTANTS } from './load-mutants.js'
import { READING_MUTANTS } from './reading-mutants.js'
import { REDIS_MUTANTS } from './redis-tier-mutants.js'
import { USER_MUTANTS } from './user-mutants.js'

export const MUTANTS: readonly Mutant[] = [
  ...CORE_MUTANTS,
  ...READING_MUTANTS,
  ...REDIS_MUTANTS,
  ...JOURNAL_MUTANTS,
  ...USER_MUTANTS,
  ...CHANGES_MUTANTS,
  ...LOAD_MUTANTS,
  ...LIST_MUTANTS,
  ...INPUT_MUTANTS,
]
