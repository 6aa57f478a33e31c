const BAR_WIDTH = 30
const TERMINAL_EVERY_MS = 100
const LINE_EVERY_MS = 2_000

export interface Progress {
  /** `done` of the total, with a few words on what that is; drawn at most as often as is of use. */
  update(done: number, note: string): void
  /** A line of its own, above the bar. */
  print(line: string): void
  /** Draws the last state and leaves it there. */
  end(): void
}

/** A bar on a terminal; anywhere else plain lines, one every two seconds, that a log can hold. Without a total there is no share of it. */
export function openProgress(total: number | undefined, output: NodeJS.WriteStream = process.stderr): Progress {
  const isTerminal = output.isTTY
  const everyMs = isTerminal ? TERMINAL_EVERY_MS : LINE_EVERY_MS
  let drawnAt = performance.now()
  let state = { done: 0, note: '' }

  const draw = (): void => {
    drawnAt = performance.now()
    if (total === undefined) return void output.write(isTerminal ? `\r\x1b[2K${state.note}` : `${state.note}\n`)
    const fraction = total === 0 ? 1 : Math.min(1, state.done / total)
    const percentage = `${Math.floor(100 * fraction)} %`.padStart(5)
    output.write(
      isTerminal ? `\r\x1b[2K${bar(fraction)} ${percentage}  ${state.note}` : `${percentage}  ${state.note}\n`,
    )
  }
  return {
    update(done, note) {
      state = { done, note }
      if (performance.now() - drawnAt >= everyMs) draw()
    },
    print(line) {
      output.write(isTerminal ? `\r\x1b[2K${line}\n` : `${line}\n`)
      if (isTerminal) draw()
    },
    end() {
      draw()
      if (isTerminal) output.write('\n')
    },
  }
}

function bar(fraction: number): string {
  const full = Math.round(BAR_WIDTH * fraction)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`
}

/** `76,118`: the same in every locale. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US')
}
