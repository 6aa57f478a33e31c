#!/usr/bin/env node
import { processContext } from './cli/context.js'
import { runCli } from './cli/program.js'

// Whoever reads may have had enough, as `head` has.
process.stdout.on('error', (error: Error & { code?: string }) => process.exit(error.code === 'EPIPE' ? 0 : 1))
process.exitCode = await runCli(process.argv.slice(2), processContext())
