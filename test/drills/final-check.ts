import pg from 'pg'
import { type DesignBody, type Shop } from './catalogue.js'
import { HttpConnection } from '../helpers/http-connection.js'

/** What is compared once everything is over. */
export interface FinalReport {
  readonly acknowledgedWrites: number
  /** Acknowledged writes that PostgreSQL never committed. */
  readonly lostWrites: readonly string[]
  readonly comparedDocuments: number
  /** Documents that a replica still answers with anything but the row in PostgreSQL. */
  readonly different: readonly string[]
}

const MOST_SHOWN = 20

/** What {@link finalCheck} compares acknowledged writes with: every committed change of a design, by a trigger of the drill's own. */
export const COMMITTED_WRITES = `
  create table drill_committed (design_id uuid, version bigint, counter text);
  create function drill_commit() returns trigger language plpgsql as $$ begin
    if tg_op = 'DELETE' then
      insert into drill_committed values (old.id, null, 'deleted');
    else
      insert into drill_committed values (new.id, new.version, new.description);
    end if;
    return null;
  end $$;
  create trigger drill_commit after insert or update or delete on designs for each row execute function drill_commit();`

/** Compares what was acknowledged with what was committed, and every document through every replica with its row. */
export async function finalCheck(options: {
  readonly shops: readonly Shop[]
  readonly ports: readonly number[]
  readonly databaseUrl: string
}): Promise<FinalReport> {
  const client = new pg.Client(options.databaseUrl)
  await client.connect()
  try {
    const { acknowledgedWrites, lostWrites } = await lost(client, options.shops)
    const { rows } = await client.query<DesignBody>('select id, version::integer as version, description from designs')
    const stored = new Map(rows.map((row) => [row.id, row]))
    const checks = options.ports.map((port, replica) => compareThrough(port, replica, { shops: options.shops, stored }))
    const findings = await Promise.all(checks)
    return {
      acknowledgedWrites,
      lostWrites: lostWrites.slice(0, MOST_SHOWN),
      comparedDocuments: findings.reduce((sum, { compared }) => sum + compared, 0),
      different: findings.flatMap(({ different }) => different).slice(0, MOST_SHOWN),
    }
  } finally {
    await client.end()
  }
}

async function lost(
  client: pg.Client,
  shops: readonly Shop[],
): Promise<{ acknowledgedWrites: number; lostWrites: string[] }> {
  const { rows } = await client.query<{ name: string }>(
    `select design_id || ' ' || coalesce(version::text, '') || ' ' || counter as name from drill_committed`,
  )
  const committed = new Set(rows.map(({ name }) => name))
  const lostWrites: string[] = []
  let acknowledgedWrites = 0
  const expect = (name: string): void => {
    acknowledgedWrites += 1
    if (!committed.has(name)) lostWrites.push(name)
  }
  for (const { documents } of shops) {
    for (const { id, acknowledged, isDeleted } of documents.values()) {
      for (const [version, counter] of acknowledged) expect(`${id} ${version} ${counter}`)
      if (isDeleted) expect(`${id}  deleted`)
    }
  }
  return { acknowledgedWrites, lostWrites }
}

async function compareThrough(
  port: number,
  replica: number,
  { shops, stored }: { shops: readonly Shop[]; stored: ReadonlyMap<string, DesignBody> },
): Promise<{ compared: number; different: string[] }> {
  const connection = new HttpConnection(port)
  const different: string[] = []
  let compared = 0
  const compare = (id: string, found: DesignBody | undefined, where: string): void => {
    compared += 1
    const row = stored.get(id)
    if (row?.version === found?.version && row?.description === found?.description) return
    different.push(`replica ${replica}, ${where}: design ${id} is ${describe(found)}, in PostgreSQL ${describe(row)}`)
  }
  for (const { documents, token } of shops) {
    const list = await connection.send({ method: 'GET', path: '/api/designs?limit=100', token })
    const items = list.status === 200 ? (JSON.parse(list.text) as { items: DesignBody[] }).items : []
    if (list.status !== 200) different.push(`replica ${replica}: a list is answered ${list.status}`)
    for (const id of documents.keys()) {
      const answer = await connection.send({ method: 'GET', path: `/api/designs/${id}`, token })
      const found = answer.status === 200 ? (JSON.parse(answer.text) as DesignBody) : undefined
      if (answer.status === 200 || answer.status === 404) compare(id, found, 'document')
      else different.push(`replica ${replica}: design ${id} is answered ${answer.status}`)
      compare(
        id,
        items.find((item) => item.id === id),
        'list',
      )
    }
  }
  connection.close()
  return { compared, different }
}

function describe(design: DesignBody | undefined): string {
  return design === undefined ? 'absent' : `version ${design.version} "${design.description}"`
}
