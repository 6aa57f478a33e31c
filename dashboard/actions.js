import { count, milliseconds, time } from './format.js'
import { byId, make, ofKind, say, sayIn } from './dom.js'

/** @typedef {{ present: boolean, state: string, age_ms: number | null, ttl_ms: number | null, negative: boolean, snapshot: string | null, verdict: string, tags: { tag: string, last_change: number, shown: boolean, in_doubt: boolean }[] }} Tier */
/** @typedef {{ key: string, verdict: string, seen: string | null, memory: Tier, redis: Tier }} Inspection */

/**
 * What somebody may do, and look up, beside looking.
 * @param {object} options
 * @param {(path: string, init?: RequestInit) => Promise<Response>} options.ask with the token
 * @param {() => number} options.memoryItems of all replicas, as they said last
 */
export function setUpActions({ ask, memoryItems }) {
  const what = ofKind('clear-what', HTMLSelectElement)
  const id = ofKind('clear-id', HTMLInputElement)
  const settle = () => {
    id.disabled = what.value === 'all'
    id.required = what.value !== 'all'
    id.placeholder = what.value === 'all' ? 'none is needed' : `the id of the ${what.value}`
  }
  what.addEventListener('change', settle)
  settle()

  byId('inspect').addEventListener('submit', (event) => {
    event.preventDefault()
    void inspect(ask).catch(() => say(byId('inspected'), 'The service does not answer: try again.'))
  })
  byId('clear').addEventListener('submit', (event) => {
    event.preventDefault()
    void clear().catch(() =>
      say(byId('cleared'), 'The service did not answer: whether it has cleared anything is not known.'),
    )
  })

  async function clear() {
    const named = id.value.trim()
    const scope = what.value === 'all' ? 'everything' : `${what.value} ${named}`
    if (!(await isConfirmed(`Clear ${scope}?`, consequence(what.value))))
      return sayIn('cleared', 'Nothing was cleared.')
    const before = memoryItems()
    const path = what.value === 'all' ? 'api/cache/clear' : `api/cache/clear/${what.value}/${encodeURIComponent(named)}`
    const response = await ask(path, { method: 'POST' })
    const body = await response.json()
    if (!response.ok) return sayIn('cleared', `Not cleared: ${body.message}`)
    sayIn('cleared', `${body.message} at ${time(Date.now())}. Every replica reads it anew from now on.`)
    // The figures of the others come every five seconds.
    setTimeout(() => {
      const after = memoryItems()
      byId('cleared').append(` Entries in memory: ${count(before)} before, ${count(after)} now.`)
    }, 1_500)
  }
}

/** Whose token comes next may not have asked this. */
export function forgetAnswers() {
  for (const id of ['inspected', 'cleared']) byId(id).replaceChildren()
  for (const id of ['inspect-what', 'inspect-user', 'clear-id']) ofKind(id, HTMLInputElement).value = ''
}

/** @param {string} what */
function consequence(what) {
  const whose =
    what === 'all'
      ? 'Every entry of every tenant'
      : what === 'user'
        ? 'All that this user has'
        : 'The template, its lists and its mockups'
  const cost = what === 'all' ? ' For a while all reads go to the database.' : ''
  return `${whose} counts as changed on all replicas, within the bound. No data is lost.${cost}`
}

/**
 * @param {string} title
 * @param {string} text
 * @returns {Promise<boolean>}
 */
function isConfirmed(title, text) {
  const dialog = ofKind('confirm', HTMLDialogElement)
  sayIn('confirm-title', title)
  sayIn('confirm-text', text)
  dialog.returnValue = 'no'
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true })
  })
}

/** @param {(path: string) => Promise<Response>} ask */
async function inspect(ask) {
  const what = ofKind('inspect-what', HTMLInputElement).value.trim()
  const user = ofKind('inspect-user', HTMLInputElement).value.trim()
  const isUrl = /^(https?:\/\/|\/)/i.test(what)
  const query = new URLSearchParams(isUrl ? { url: what, ...(user !== '' && { user_id: user }) } : { key: what })
  const response = await ask(`api/cache/inspect?${query}`)
  const body = await response.json()
  if (!response.ok) return say(byId('inspected'), body.message)
  showInspection(body)
}

/** @param {Inspection} inspection */
function showInspection({ key, verdict, seen, memory, redis }) {
  const sentence = make('p', { class: 'answer' }, verdict)
  const name = make(
    'p',
    { class: 'note' },
    'Key: ',
    make('code', {}, key),
    '. The journal was last read under snapshot ',
    make('code', {}, seen ?? 'none'),
    '.',
  )
  byId('inspected').replaceChildren(sentence, name, tierTable(memory, redis), ...tagTable(memory, redis))
}

/** @param {Tier} memory @param {Tier} redis */
function tierTable(memory, redis) {
  /** @type {readonly (readonly [string, (tier: Tier) => string])[]} */
  const lines = [
    ['Holds', ({ present, negative }) => (!present ? 'nothing' : negative ? '“there is no such row”' : 'a document')],
    ['Age', ({ age_ms }) => milliseconds(age_ms)],
    [
      'Fresh for',
      ({ ttl_ms }) => (ttl_ms !== null && ttl_ms < 0 ? `over since ${milliseconds(-ttl_ms)}` : milliseconds(ttl_ms)),
    ],
    ['Snapshot', ({ snapshot }) => snapshot ?? '–'],
    ['Verdict', ({ verdict }) => verdict],
  ]
  const rows = lines.map(([head, of]) =>
    make('tr', {}, make('th', { scope: 'row' }, head), make('td', {}, of(memory)), make('td', {}, of(redis))),
  )
  const heads = make(
    'tr',
    {},
    make('td'),
    make('th', { scope: 'col' }, 'Memory'),
    make('th', { scope: 'col' }, 'Redis'),
  )
  return scrolling('Each tier', make('table', { class: 'tiers' }, make('thead', {}, heads), make('tbody', {}, ...rows)))
}

/** @param {Tier} memory @param {Tier} redis */
function tagTable(memory, redis) {
  const of = memory.present ? memory : redis
  if (of.tags.length === 0) return []
  const heads = ['Tag', 'Last change heard', 'Does the entry show it?'].map((text) =>
    make('th', { scope: 'col' }, text),
  )
  const rows = of.tags.map(({ tag, last_change, shown, in_doubt }) =>
    make(
      'tr',
      {},
      make('th', { scope: 'row' }, make('code', {}, tag)),
      make('td', {}, last_change === 0 ? 'none' : `transaction ${last_change}`),
      make('td', {}, `${shown ? 'yes' : 'no'}${in_doubt ? ', in doubt' : ''}`),
    ),
  )
  return [
    scrolling(
      'Tags',
      make('table', { class: 'tiers' }, make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...rows)),
    ),
  ]
}

/** @param {string} label @param {Node} table */
function scrolling(label, table) {
  return make('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label }, table)
}
