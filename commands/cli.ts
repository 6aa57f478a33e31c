#!/usr/bin/env node
import { processContext } from './cli/context.js'
import { runCli } from './cli/program.js'

// Whoever reads may have had enough, as `head` has.
process.stdout.on('error', () => {})
process.exitCode = await runCli(process.argv.slice(2), processContext())
