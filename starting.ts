/**
 * What a process does from its first moment until its work has begun. Imports nothing, so that nothing comes before it: process 1 of a
 * container does not hear a signal that nobody listens for, not even SIGTERM, and is killed in the end.
 */

/** Errors that say what to do: where in the code they were thrown helps nobody. */
const CLEAR_ERRORS = ['ConfigError', 'CanNotStartError']

/**
 * Ends the process at SIGTERM and SIGINT with `code`, and after an error that nobody caught with 1; says each, and warnings of Node's, in
 * one line. What is under way is left as it is: databases are made for that.
 * @returns the function that stops it; warnings are said on
 */
export function guardStart(code: number): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    console.log(`${signal} during the start: ended`)
    process.exit(code)
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('uncaughtException', endWith)
  process
    .removeAllListeners('warning')
    .on('warning', ({ name, message }) => console.error(inOneLine(`${name}: ${message}`)))
  return () => {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('uncaughtException', endWith)
  }
}

/** Says why the service can't start, on stderr, and ends with 1. */
export function endWith(error: unknown): never {
  console.error(startFault(error))
  process.exit(1)
}

/** One line, but for a list of faults: a platform takes each line for an event of its own. */
export function startFault(error: unknown): string {
  if (!(error instanceof Error)) return inOneLine(`The service could not start: ${String(error)}`)
  if (error.name === 'ConfigError') return error.message
  const isClear = CLEAR_ERRORS.includes(error.name)
  return inOneLine(`The service could not start: ${isClear ? error.message : (error.stack ?? error.message)}`)
}

function inOneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' | ')
}
