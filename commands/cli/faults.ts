/** Exit codes, as docs/cli.md has them; 2 and 3 are those of an import. Those from 64 on are the ones of sysexits.h. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 64,
  unreachable: 69,
  notAllowed: 77,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Ends the command with a message that says what to do, and its exit code. */
export class CliError extends Error {
  override readonly name = 'CliError'

  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failed,
    /** The code of the service's error, for `--json`. */
    readonly code?: string,
  ) {
    super(message)
  }
}
