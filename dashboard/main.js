import { forgetAnswers, setUpActions } from './actions.js'
import { showBoard, showLost } from './board.js'
import { Charts } from './charts.js'
import { byId, make, mark, ofKind, say, sayIn } from './dom.js'
import { time } from './format.js'
import { showHappenings } from './happenings.js'
import { Model } from './model.js'
import { follow, RefusedError } from './stream.js'

/** @import { Hello, LiveEvent } from './types.js' */

/** Where the token is while this tab is open. */
const KEPT = 'roundhouse-token'
/** Beside the page, whatever a proxy has put before it. */
const BASE = new URL('.', document.baseURI)

/** What a header can carry: a browser sends no request with anything else. */
const TOKEN = /^[\x21-\x7e]+$/

/** Figures come every second. */
const LATE_MS = 3_500

let token = sessionStorage.getItem(KEPT) ?? ''
let model = new Model()
let stop = new AbortController()
/** When figures came last, by this page's clock. */
let toldAt = 0
/** Why there is no connection. */
let fault = ''
/** @type {Charts | undefined} */
let charts

const selection = ofKind('selection', HTMLSelectElement)
const CLEAR_NOTE = byId('clear-note').textContent.trim()

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
function ask(path, init = {}) {
  return fetch(new URL(path, BASE), { ...init, headers: { authorization: `Bearer ${token}` }, cache: 'no-store' })
}

function memoryItems() {
  return (model.event?.replicas ?? []).reduce((all, { cache }) => all + (cache?.counts['memory_cache_size'] ?? 0), 0)
}

/** @param {boolean} isIn */
function show(isIn) {
  byId('door').hidden = isIn
  byId('board').hidden = !isIn
  byId('tools').hidden = !isIn
}

function showDoor(why = '') {
  show(false)
  sayIn('door-fault', why)
  ofKind('token', HTMLInputElement).focus()
}

function leave(why = '') {
  stop.abort()
  token = ''
  sessionStorage.removeItem(KEPT)
  model = new Model()
  forgetAnswers()
  showDoor(why)
}

function draw() {
  const { event } = model
  if (event === undefined) return
  const names = event.replicas.map(({ name }) => name)
  const wanted = ['', ...names]
  if (wanted.join() !== [...selection.options].map(({ value }) => value).join()) {
    const chosen = wanted.includes(selection.value) ? selection.value : ''
    selection.replaceChildren(
      ...wanted.map((name) => make('option', { value: name }, name === '' ? 'all replicas' : name)),
    )
    selection.value = chosen
  }
  showBoard(model, selection.value)
  showHappenings(model, selection.value)
  charts ??= new Charts()
  charts.update(model.ticks, selection.value, event.replicas[0]?.cache?.bound_ms ?? null)
  const [first] = model.hello?.samples ?? []
  const isOnlyHere = names.length > 1 && selection.value === '' && first !== undefined
  sayIn('charts-note', isOnlyHere ? `What is older than this page is of ${model.hello?.replica} alone.` : '')
}

/** @param {boolean} isLive @param {string} [why] there is no connection */
function showLink(isLive, why = '') {
  const at = model.event?.at_ms
  fault = why
  if (!isLive && at === undefined) {
    // Who types another token meanwhile goes on with it.
    if (byId('door').hidden) showDoor()
    sayIn('door-fault', `${why || 'The service does not answer.'} This page tries again by itself.`)
  }
  mark(byId('link'), 'data-state', isLive ? 'live' : 'waiting')
  say(byId('link-text'), isLive ? 'Live' : at === undefined ? 'Connecting' : `No connection since ${time(at)}`)
}

async function enter() {
  stop = new AbortController()
  const { signal } = stop
  try {
    await follow({
      url: new URL('api/cache/live', BASE).href,
      token,
      signal,
      onLink: showLink,
      onEvent(name, data) {
        if (signal.aborted) return
        if (name === 'hello') greet(/** @type {Hello} */ (data))
        else if (name === 'figures') {
          toldAt = performance.now()
          model.take(/** @type {LiveEvent} */ (data))
          draw()
        }
      },
    })
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    // Another token has been given meanwhile.
    if (signal.aborted) return
    leave(
      error.status === 403
        ? 'This is a user’s token: the figures need an administrator’s, or one that may only look.'
        : 'The service does not know this token.',
    )
  }
}

/** @param {Hello} hello */
function greet(hello) {
  sessionStorage.setItem(KEPT, token)
  model.greet(hello)
  show(true)
  byId('clear').toggleAttribute('hidden', !hello.may_clear)
  sayIn('clear-note', hello.may_clear ? CLEAR_NOTE : 'This token may only look: an administrator’s can clear.')
}

byId('login').addEventListener('submit', (event) => {
  event.preventDefault()
  const field = ofKind('token', HTMLInputElement)
  stop.abort()
  const given = field.value.trim()
  field.value = ''
  if (!TOKEN.test(given)) return showDoor('This is no token: it has a space or a sign that none has. Copy it again.')
  token = given
  sayIn('door-fault', '')
  void enter()
})
byId('leave').addEventListener('click', () => leave())
selection.addEventListener('change', draw)
setUpActions({ ask, memoryItems })
setInterval(() => {
  if (model.event !== undefined && performance.now() - toldAt > LATE_MS) showLost(model.event, fault)
}, 1_000)
if (token === '') showDoor()
else void enter()
