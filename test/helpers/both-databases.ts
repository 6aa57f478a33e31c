import type { Test } from 'tap'
import { startService, type TestService } from './app.js'
import { sharedPostgres } from './servers/shared-servers.js'

/** Runs `suite` with a service on the embedded database, and with one on PostgreSQL. */
export function onBothDatabases(t: Test, suite: (t: Test, service: TestService) => Promise<void>): void {
  t.test('on the embedded database', async (t) => suite(t, await startService(t, { isEmbedded: true })))
  t.test('on PostgreSQL', async (t) => {
    const postgres = await sharedPostgres(t)
    await suite(t, await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } }))
  })
}
