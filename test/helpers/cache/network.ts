/** Decides when a message in flight arrives. `label` says what is on its way from where to where. */
export interface Network {
  post(label: string, arrive: () => void): void
  /** Hears in words what arrived. */
  tell?(words: () => string): void
}

/** Everything arrives at once, in order. */
export const promptNetwork: Network = { post: (_label, arrive) => queueMicrotask(arrive) }

/** Prompt, except for messages whose label matches what is held. */
export class GatedNetwork implements Network {
  #held: RegExp | undefined
  readonly waiting: { readonly label: string; readonly arrive: () => void }[] = []

  post(label: string, arrive: () => void): void {
    if (this.#held?.test(label) === true) this.waiting.push({ label, arrive })
    else queueMicrotask(arrive)
  }

  /** From now on, messages whose label matches stay on their way. */
  hold(labels: RegExp): void {
    this.#held = labels
  }

  /** Holds nothing any more; what was held arrives in the order it was sent. */
  release(): void {
    this.#held = undefined
    this.deliver(/./)
  }

  /** Lets what was held arrive if its label matches; later ones are held as before. */
  deliver(labels: RegExp): void {
    const due = this.waiting.filter(({ label }) => labels.test(label))
    const rest = this.waiting.filter(({ label }) => !labels.test(label))
    this.waiting.splice(0, this.waiting.length, ...rest)
    for (const { arrive } of due) queueMicrotask(arrive)
  }
}

/** One direction of one connection: messages arrive in the order they were sent, or never. */
export class Channel {
  readonly #network: Network
  readonly #label: string
  readonly #isHeld: () => boolean
  readonly #queue: { readonly arrive: () => void; readonly what: () => string }[] = []
  #missed = 0

  constructor(network: Network, options: { label: string; isHeld?: () => boolean }) {
    this.#network = network
    this.#label = options.label
    this.#isHeld = options.isHeld ?? (() => false)
  }

  /** `what`: the message, in words. */
  send(arrive: () => void, what: () => string): void {
    this.#queue.push({ arrive, what })
    this.#post()
  }

  /** Lets in what stood at a receiver that was held. */
  resume(): void {
    const missed = this.#missed
    this.#missed = 0
    for (let n = 0; n < missed; n++) this.#post()
  }

  /** What is under way never arrives. */
  cut(): void {
    this.#queue.length = 0
    this.#missed = 0
  }

  #post(): void {
    this.#network.post(this.#label, () => {
      if (this.#isHeld()) {
        this.#missed += 1
        return
      }
      const message = this.#queue.shift()
      if (message === undefined) return
      this.#network.tell?.(() => `${this.#label}: ${message.what()}`)
      message.arrive()
    })
  }
}
