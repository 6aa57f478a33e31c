// @ts-check
/**
 * Runs PGlite in a thread of its own, by what ./worker-client.ts asks; that starts it, and nothing imports it. In JavaScript: the threads of
 * tsx load no TypeScript.
 *
 * @import { Transaction } from '@electric-sql/pglite'
 * @import { Answer, Request } from './worker-client.js'
 */
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'

/**
 * @typedef {object} OpenTransaction
 * @property {Transaction} transaction
 * @property {(isCommitted: boolean) => void} settle
 * @property {Promise<void>} ended
 */

const ROLLBACK = new Error('rolled back')

/** @type {PGlite} */
let pglite
/** @type {Map<number, OpenTransaction>} */
const transactions = new Map()
/** @type {Map<number, () => Promise<void>>} */
const listeners = new Map()

parentPort?.on('message', (/** @type {Request & { readonly id: number }} */ { id, ...request }) => {
  answerTo(id, request).then(
    (value) => say({ id, value }),
    (error) => say({ id, error, properties: { ...error } }),
  )
})

/** @param {Answer} answer */
function say(answer) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- windows have origins, threads have none
  parentPort?.postMessage(answer)
}

/**
 * @param {number} id
 * @param {Request} request
 * @returns {Promise<unknown>}
 */
async function answerTo(id, request) {
  switch (request.ask) {
    case 'open':
      pglite = await PGlite.create(workerData)
      return
    case 'query':
      return (await runnerOf(request.in).query(request.text, [...request.values])).rows
    case 'script':
      await runnerOf(request.in).exec(request.text)
      return
    case 'begin':
      return begin(id)
    case 'commit':
    case 'rollback':
      return end(request.in, request.ask === 'commit')
    case 'listen':
      listeners.set(id, await pglite.listen(request.channel, (payload) => say({ listener: id, payload })))
      return
    case 'unlisten':
      return listeners.get(request.listener)?.()
    case 'close':
      return pglite.close()
  }
}

/** @param {number | undefined} id of a transaction */
function runnerOf(id) {
  return id === undefined ? pglite : openTransaction(id).transaction
}

/**
 * @param {number} id
 * @returns {OpenTransaction}
 */
function openTransaction(id) {
  const open = transactions.get(id)
  if (open === undefined) throw new Error('The transaction has ended')
  return open
}

/**
 * Resolves once it has begun. Whatever else is asked of PGlite waits until it has ended.
 * @param {number} id
 * @returns {Promise<void>}
 */
function begin(id) {
  return new Promise((begun, refused) => {
    /** @type {OpenTransaction['settle']} */
    let settle = () => {}
    /** @type {Promise<void>} */
    const isOver = new Promise((resolve, reject) => {
      settle = (isCommitted) => (isCommitted ? resolve() : reject(ROLLBACK))
    })
    /** @type {Promise<void>} */
    const ended = pglite.transaction((transaction) => {
      transactions.set(id, { transaction, settle, ended })
      begun()
      return isOver
    })
    ended.catch(refused)
  })
}

/**
 * @param {number} id
 * @param {boolean} isCommitted
 */
async function end(id, isCommitted) {
  const { settle, ended } = openTransaction(id)
  transactions.delete(id)
  settle(isCommitted)
  await ended.catch((error) => {
    if (error !== ROLLBACK) throw error
  })
}
