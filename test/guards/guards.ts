import { CORE_GUARDS } from './core-guards.js'
import type { Guard } from './guard.js'
import { JOURNAL_GUARDS } from './journal-guards.js'
import { READING_GUARDS } from './reading-guards.js'
import { REDIS_GUARDS } from './redis-tier-guards.js'

export const GUARDS: readonly Guard[] = [...CORE_GUARDS, ...READING_GUARDS, ...REDIS_GUARDS, ...JOURNAL_GUARDS]
