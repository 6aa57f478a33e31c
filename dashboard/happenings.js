import { duration, NONE, plural, time } from './format.js'
import { byId, draw, fill, holding, make, mark, say, sayIn } from './dom.js'

/** @import { Model } from './model.js' */
/** @import { Report } from './types.js' */

const WINDOW_MS = 15 * 60_000
const MOST_ROWS = 12
/** Of those that some replica has not had the time to report. */
const MOST_NEW = 3
const UUID = /([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
/** The state is told by how tall a part of the lane is, too. In hundredths. */
const HEIGHTS = { coherent: 100, 'memory-only': 65, isolated: 30, disabled: 15 }

/**
 * What happened when, and who heard of it.
 * @param {Model} model
 * @param {string} selection empty: all replicas
 */
export function showHappenings(model, selection) {
  const reports = model.reports(selection)
  showLanes(reports, model.event?.at_ms ?? 0)
  const turns = reports
    .flatMap(({ name, figures }) => (figures?.turns ?? []).map((turn) => ({ ...turn, name })))
    .sort((a, b) => b.at_ms - a.at_ms)
  fill(
    byId('turns'),
    turns.map(({ at_ms, name, part, state, reason }) => [
      time(at_ms),
      name,
      part === 'replica' ? `is ${state}` : `${part === 'redis' ? 'Redis' : 'the database'}: ${state}`,
      reason,
    ]),
  )
  showHeard(reports)
}

/**
 * @param {readonly Report[]} reports
 * @param {number} now
 */
function showLanes(reports, now) {
  const lanes = byId('lanes')
  while (lanes.children.length > reports.length) lanes.lastElementChild?.remove()
  for (const [n, report] of reports.entries()) {
    const lane = lanes.children[n] ?? lanes.appendChild(newLane())
    const [label, svg] = lane.children
    if (label === undefined || svg === undefined) continue
    say(label, report.name)
    const spans = spansOf(report, now)
    while (svg.children.length > spans.length) svg.lastElementChild?.remove()
    for (const [at, { state, from, to }] of spans.entries()) {
      const rect = svg.children[at] ?? svg.appendChild(draw('rect', {}, draw('title')))
      const height = state === 'silent' ? 100 : (HEIGHTS[/** @type {keyof typeof HEIGHTS} */ (state)] ?? 10)
      const x = (1_000 * (from - (now - WINDOW_MS))) / WINDOW_MS
      mark(rect, 'class', `lane-${state}`)
      mark(rect, 'x', x.toFixed(1))
      mark(rect, 'width', Math.max(1, (1_000 * (to - from)) / WINDOW_MS).toFixed(1))
      mark(rect, 'y', String(100 - height))
      mark(rect, 'height', String(height))
      if (rect.firstElementChild) say(rect.firstElementChild, `${state} from ${time(from)} to ${time(to)}`)
    }
    const words = spans.map(({ state, from, to }) => `${state} for ${duration((to - from) / 1_000)}`)
    mark(svg, 'aria-label', `${report.name}: ${words.join(', then ') || 'nothing is known'}`)
  }
}

function newLane() {
  const svg = draw('svg', { class: 'lane', viewBox: '0 0 1000 100', preserveAspectRatio: 'none', role: 'img' })
  return make('div', { class: 'lane-row' }, make('span', { class: 'lane-name' }), svg)
}

/**
 * Its states in the window, the oldest first. What was before the first one is not known.
 * @param {Report} report
 * @param {number} now
 */
function spansOf({ figures, age_ms, is_silent, service }, now) {
  const turns = (figures?.turns ?? []).filter(({ part }) => part === 'replica')
  const lastHeard = now - age_ms
  const end = is_silent ? lastHeard : now
  const startedAt = service === null ? 0 : Date.parse(service.started_at)
  const spans = turns.map(({ at_ms, state }, n) => {
    return { state, from: Math.max(at_ms, now - WINDOW_MS, n === 0 ? startedAt : 0), to: turns[n + 1]?.at_ms ?? end }
  })
  const silence = is_silent ? [{ state: 'silent', from: Math.max(lastHeard, now - WINDOW_MS), to: now }] : []
  return [...spans, ...silence].filter(({ from, to }) => to > from)
}

/** @param {readonly Report[]} reports */
function showHeard(reports) {
  const heads = ['Transaction', 'First heard', ...reports.map(({ name }) => name), 'Tags']
  const head = byId('heard-head').firstElementChild ?? byId('heard-head').appendChild(make('tr'))
  while (head.children.length > heads.length) head.lastElementChild?.remove()
  for (const [n, text] of heads.entries()) say(head.children[n] ?? head.appendChild(make('th', { scope: 'col' })), text)

  /** @type {Map<number, { tags: readonly string[], more: number, by: Map<string, number> }>} */
  const transactions = new Map()
  for (const { name, figures } of reports) {
    for (const { at_ms, transaction, tags, more } of figures?.heard ?? []) {
      const known = transactions.get(transaction) ?? { tags, more, by: new Map() }
      known.by.set(name, at_ms)
      transactions.set(transaction, known)
    }
  }
  const reportedAt = new Map(
    reports.map(({ name, figures, is_silent }) => [name, is_silent ? Infinity : (figures?.at_ms ?? 0)]),
  )
  const settledAt = Math.min(...reportedAt.values())
  const sorted = [...transactions]
    .map(([transaction, heard]) => ({ transaction, ...heard, firstAt: Math.min(...heard.by.values()) }))
    .sort((a, b) => b.firstAt - a.firstAt || b.transaction - a.transaction)
  const fresh = sorted.filter(({ firstAt }) => firstAt > settledAt).length
  sayIn(
    'heard-note',
    fresh > MOST_NEW
      ? `${plural(fresh - MOST_NEW, 'newer one', 'newer ones')} will be here once all replicas have reported.`
      : '',
  )
  const rows = sorted
    .filter((_, n) => n < MOST_NEW || n >= fresh)
    .slice(0, MOST_ROWS)
    .map(({ transaction, tags, more, by, firstAt }) => [
      String(transaction),
      time(firstAt),
      ...reports.map(({ name, is_silent }) => {
        const at = by.get(name)
        if (at === undefined && is_silent) return 'silent'
        if (at === undefined) return (reportedAt.get(name) ?? 0) <= firstAt ? 'not reported yet' : NONE
        return at === firstAt ? 'first' : `+${Math.round(at - firstAt)} ms`
      }),
      tagCell(tags, more),
    ])
  fill(byId('heard'), rows, 'No change has been heard of yet')
}

/**
 * @param {readonly string[]} tags
 * @param {number} more
 */
function tagCell(tags, more) {
  const all = tags.includes('*') ? 'everything' : tags.join('  ')
  const rest = more === 0 ? '' : ` and ${plural(more, 'more tag', 'more tags')}`
  return holding(
    () => make('code'),
    (code) => {
      say(code, all.replace(UUID, '$1…') + rest)
      mark(code, 'title', all + rest)
    },
  )
}
