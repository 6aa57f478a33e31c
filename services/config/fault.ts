/** One thing that is wrong with the environment. `message` says what to do and never holds the value. */
export interface Fault {
  readonly variable: string
  readonly message: string
  /** Another process has it, which may be the service itself. */
  readonly isTaken?: boolean
}
