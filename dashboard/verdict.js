import { duration, milliseconds, percent, plural } from './format.js'

/** @import { LiveEvent, Report } from './types.js' */

/** Fewer reads than this in the last minute say nothing about a rate. */
const FEW_READS = 10
/** Replicas that a note names. */
const MOST_NAMED = 3

/**
 * The page in one sentence, and what an operator should know beside it.
 * @param {object} facts
 * @param {LiveEvent} facts.event
 * @param {readonly Report[]} facts.reports of the selected replicas
 * @param {{ readonly rate: number | undefined, readonly reads: number, readonly isOfLastMinute: boolean }} facts.reads
 * @returns {{ level: 'good' | 'warn' | 'bad' | 'idle', sentence: string, notes: string[] }}
 */
export function verdict({ event, reports, reads }) {
  const heard = reports.filter(({ is_silent, cache }) => !is_silent && cache !== null)
  const following = heard.filter(({ cache }) => cache?.state === 'coherent' || cache?.state === 'memory-only')
  const isOff = heard.length > 0 && heard.every(({ cache }) => cache?.state === 'disabled')
  const notes = [...notesOnReplicas(reports), ...notesOnParts(event)]
  if (isOff) return { level: 'warn', sentence: 'The cache is switched off: the database answers every read.', notes }

  const barriers = following.map(({ cache }) => cache?.barrier_age_ms ?? 0)
  const oldest = barriers.length === 0 ? undefined : Math.max(...barriers)
  const helps = helpOf(reads)
  const isOne = reports.length === 1
  const coherent =
    following.length === reports.length && isOne
      ? 'it is coherent'
      : `coherent on ${following.length} of ${plural(reports.length, 'replica')}`
  const age = oldest === undefined ? '' : `; nothing older than ${milliseconds(oldest)}`
  const sentence = `${helps}; ${following.length === 0 ? 'no replica follows the journal' : coherent}${age}.`
  const isCutOff = heard.some(({ cache }) => cache?.state === 'isolated' || (cache !== null && missedBy(cache) > 0))
  const level =
    isCutOff || following.length === 0 ? 'bad' : notes.length > 0 ? 'warn' : reads.reads === 0 ? 'idle' : 'good'
  return { level, sentence, notes }
}

/** @param {{ readonly rate: number | undefined, readonly reads: number, readonly isOfLastMinute: boolean }} reads */
function helpOf({ rate, reads, isOfLastMinute }) {
  if (rate === undefined) return 'Nobody has read anything yet'
  const few = reads < FEW_READS ? ` (of only ${plural(reads, 'read')})` : ''
  return `The cache ${isOfLastMinute ? 'answers' : 'has answered'} ${percent(rate)} of reads${few}`
}

/**
 * What is said of several replicas is said once.
 * @param {readonly Report[]} reports
 */
function notesOnReplicas(reports) {
  /** @type {Map<string, string[]>} */
  const named = new Map()
  for (const report of reports) {
    for (const note of notesOn(report)) named.set(note, [...(named.get(note) ?? []), report.name])
  }
  return [...named].map(([note, names]) => {
    const more = names.length - MOST_NAMED
    return `${names.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}: ${note}`
  })
}

/**
 * @param {Report} report
 * @returns {string[]}
 */
function notesOn({ is_silent, age_ms, cache }) {
  if (is_silent) {
    return [`silent for ${duration(age_ms / 1_000)}; it has ended, hangs, or can't reach the database.`]
  }
  if (cache === null) return ['says nothing of its cache; it runs another release.']
  const { redis, redis_refuses, announcements } = cache.parts
  const missed = missedBy(cache)
  const isIsolated = cache.state === 'isolated'
  return [
    isIsolated &&
      `can't read the journal (${cache.reason}); the database is asked for every read, and where it does not answer memory does, marked, for a limited time, then nobody (503).`,
    missed > 0 &&
      `${plural(missed, 'answer')} since its start ${missed === 1 ? 'was' : 'were'} not what the database had, and no change had been told; the log names them.`,
    cache.state === 'disabled' && 'the cache is switched off.',
    redis === 'unavailable' && 'Redis does not answer; memory and the database do.',
    redis === 'unstable' && 'Redis comes and goes.',
    redis === 'refusing' && `Redis refuses ${redis_refuses}.`,
    announcements === 'deaf' && 'announcements do not come through; news takes up to the bound.',
    announcements === 'unavailable' && !isIsolated && 'no connection for announcements; news takes up to the bound.',
  ].filter((note) => note !== false)
}

/** @param {NonNullable<Report['cache']>} cache */
function missedBy(cache) {
  return cache.counts.verified?.missed ?? 0
}

/** @param {LiveEvent} event */
function notesOnParts({ parts, here }) {
  const notes = []
  if (parts['database'] === 'unavailable')
    notes.push(`The database does not answer ${here}: what other replicas say can't be read.`)
  else if (parts['loads'] === 'waiting') notes.push(`All connections of ${here} to the database are in use.`)
  return notes
}
