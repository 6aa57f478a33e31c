/** The service refused the token. */
export class RefusedError extends Error {
  /** @param {number} status */
  constructor(status) {
    super(`refused with ${status}`)
    this.status = status
  }
}

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 5_000
/** An event comes every second: a connection without one is dead. */
const SILENCE_MS = 5_000

/**
 * Server-sent events by fetch, since an EventSource sends no Authorization header. Connects again and again until `signal` says stop.
 * @param {object} options
 * @param {string} options.url
 * @param {string} options.token
 * @param {AbortSignal} options.signal
 * @param {(name: string, data: unknown) => void} options.onEvent
 * @param {(isLive: boolean, fault?: string) => void} options.onLink why there is no connection, where the service says so
 * @throws RefusedError when the token is no good
 */
export async function follow({ url, token, signal, onEvent, onLink }) {
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    let fault
    try {
      fault = await readOnce({ url, token, signal }, (name, data) => {
        pauseMs = FIRST_PAUSE_MS
        onLink(true)
        onEvent(name, data)
      })
    } catch (error) {
      if (error instanceof RefusedError) throw error
    }
    if (signal.aborted) return
    onLink(false, fault)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/**
 * @param {{ url: string, token: string, signal: AbortSignal }} options
 * @param {(name: string, data: unknown) => void} onEvent
 * @returns {Promise<string | undefined>} why there is no stream; `undefined` when one has ended
 */
async function readOnce({ url, token, signal }, onEvent) {
  const silence = new AbortController()
  let timer = setTimeout(() => silence.abort(), SILENCE_MS)
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' }
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.any([signal, silence.signal]), cache: 'no-store' })
    if (response.status === 401 || response.status === 403) throw new RefusedError(response.status)
    if (!response.ok || response.body === null) return await faultIn(response)
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return undefined
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(), SILENCE_MS)
      const parts = (text + value).split('\n\n')
      text = parts.pop() ?? ''
      for (const part of parts) tell(part, onEvent)
    }
  } finally {
    clearTimeout(timer)
  }
}

/**
 * In the service's own words; a proxy has others.
 * @param {Response} response
 */
async function faultIn(response) {
  const body = await response.json().catch(() => undefined)
  return typeof body?.message === 'string'
    ? `${body.message.replace(/\.$/, '')}.`
    : `The service answers ${response.status}.`
}

/**
 * @param {string} part
 * @param {(name: string, data: unknown) => void} onEvent
 */
function tell(part, onEvent) {
  const lines = part.split('\n')
  /** @param {string} field */
  const of = (field) => lines.find((line) => line.startsWith(`${field}: `))?.slice(field.length + 2)
  const [name, data] = [of('event'), of('data')]
  if (name !== undefined && data !== undefined) onEvent(name, JSON.parse(data))
}
