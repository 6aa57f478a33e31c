import type { Command } from 'commander'
import type { CliContext } from './context.js'
import type { Finding } from './doctor/finding.js'
import { EXIT } from './faults.js'
import { openOutput, type Output, printable } from './output.js'
import type { GlobalOptions } from './program.js'

const CHECK_WIDTH = 'configuration'.length
const RESULT_WIDTH = 'warning'.length

export function doctorCommand(context: CliContext, program: Command): void {
  program
    .command('doctor')
    .description(
      'look at the configuration, the database, Redis and the clocks, as the service would find them from here',
    )
    .action(async (_options, command: Command) => {
      const output = openOutput(context, command.optsWithGlobals<GlobalOptions>().json === true)
      // The whole service comes along: only where it is needed.
      const { examine } = await import('./doctor/examine.js')
      const findings = await examine(await context.settings(), (finding) => {
        if (!output.isJson) output.line(shown(output, finding))
      })
      const [faults, warnings] = [findings.count('fault'), findings.count('warning')]
      if (output.isJson) output.json({ faults, warnings, findings: findings.all })
      else output.line(`\n${counted(faults, 'fault')}, ${counted(warnings, 'warning')}`)
      context.exitCode = faults > 0 ? EXIT.failed : EXIT.done
    })
}

function shown(output: Output, { check, result, found, change }: Finding): string {
  const style = result === 'ok' ? 'green' : result === 'warning' ? 'yellow' : 'red'
  const advice = change === undefined ? '' : `. ${output.styled('bold', 'To do:')} ${printable(change)}`
  return `${output.styled(style, result.padEnd(RESULT_WIDTH))}  ${check.padEnd(CHECK_WIDTH)}  ${printable(found)}${advice}`
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
