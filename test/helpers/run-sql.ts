import pg from 'pg'

/** Runs SQL past the service, over a connection of its own: one statement, or several without an answer. */
export async function runSql<Row extends pg.QueryResultRow = Record<string, unknown>>(
  url: string,
  text: string,
): Promise<Row[]> {
  const client = new pg.Client(url)
  // The server may be killed meanwhile; the query says so.
  client.on('error', () => {})
  await client.connect()
  try {
    const { rows } = await client.query<Row>(text)
    return rows
  } finally {
    await client.end()
  }
}
