/** In ms: a hit waits for two turns of the event loop at most, mostly for less. */
const LATE_MS = 5
/** A process that had no core is late too, and doing less would not help it. */
const BUSY = 0.5
const [SLOWER, FASTER] = [0.75, 0.025]
/** At once, however late it is: a pause of the process is no overload. */
const MOST_STEPS = 4

/**
 * What part of the loads and writes that the database could do at once this process may begin. What a load brings back has to be read,
 * put together and sent on the event loop that hits are answered on: when that comes too late to its timers, because it has been working,
 * fewer are let in, and step by step more again once it is in time.
 */
export class Pace {
  #share = 1

  /** From nearly 0 to 1. */
  get share(): number {
    return this.#share
  }

  /**
   * A timer has gone off.
   * @param lateMs how late
   * @param busy what part of the time since it did before this process worked, of one core
   */
  tick(lateMs: number, busy: number): void {
    if (lateMs <= LATE_MS) this.#share = Math.min(1, this.#share + FASTER)
    else if (busy >= BUSY) this.#share *= SLOWER ** Math.min(lateMs / LATE_MS, MOST_STEPS)
  }
}
