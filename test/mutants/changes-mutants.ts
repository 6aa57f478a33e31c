import { type Mutant, serviceMutant } from './mutant.js'

const FOLLOWERS = 'replicas/changes'
const HISTORY = 'replicas/database/changes-history'

/** What sees to it that a follower of the feed of changes misses nothing, is told nothing twice, and is told when it has to read all. */
export const CHANGES_MUTANTS: readonly Mutant[] = [
  serviceMutant(
    'a feed: what was running in a cursor is told when it has committed',
    'changes/statements',
    'unnest(array(select pg_snapshot_xip($3::pg_snapshot))) x (id)',
    'unnest(array(select pg_snapshot_xip($3::pg_snapshot) limit 0)) x (id)',
    FOLLOWERS,
  ),
  serviceMutant(
    'a feed: a window ends at its snapshot, whatever has committed since',
    'changes/statements',
    'and pg_visible_in_snapshot(c.changed_in, k.until) and',
    'and',
    FOLLOWERS,
  ),
  {
    name: 'a feed: a crash ends the history that goes on',
    edits: [
      {
        file: 'services/database/migrations/011.do.changes.sql',
        from: 'create unlogged table changes_witness',
        to: 'create table changes_witness',
      },
    ],
    noticedBy: [HISTORY],
  },
  serviceMutant(
    'a feed: a cursor of an earlier history goes on from what is certain',
    'changes/feed',
    'isCovered(cursor.from, seen.safe) ? cursor.from : seen.safe',
    'cursor.from',
    HISTORY,
  ),
  serviceMutant(
    'a feed: a trigger that was off for a while is another place',
    'changes/statements',
    't.oid, t.xmin, ascii',
    't.oid, ascii',
    HISTORY,
  ),
  {
    name: 'a feed: nothing is told while a trigger is missing',
    // The first alone says why; what is missing begins no history either.
    edits: [
      {
        file: 'services/changes/feed.ts',
        from: 'if (!seen.is_complete) {',
        to: 'if (!seen.is_complete && !seen.is_on) {',
      },
      {
        file: 'services/changes/feed.ts',
        from: 'if (seen?.history !== null || !seen.is_on || !seen.is_complete) return',
        to: 'if (seen?.history !== null || !seen.is_on) return',
      },
    ],
    noticedBy: [HISTORY],
  },
  serviceMutant(
    'a feed: a truncated table begins it anew',
    'changes/installation',
    "{ table, name: TRUNCATED, event: 'after truncate', each: 'statement' },",
    '',
    HISTORY,
  ),
  serviceMutant(
    'a feed: who has not seen what is gone is told to read all',
    'changes/feed',
    'if (!isCovered(seen.pruned, cursor.from)) throw new CursorExpiredError()',
    '',
    HISTORY,
  ),
  serviceMutant(
    'a feed: who was made again with the same id is told to read all',
    'changes/feed',
    'change[2] === USERS && !isKnown(change)',
    'change[2] === USERS && isKnown(change) && false',
    'routes/api/changes/changes',
  ),
  serviceMutant(
    'a feed: a first cursor waits for lists that may be older',
    'changes/feed',
    'if (!isQuiet && staleMs > 0) await sleep(staleMs)',
    '',
    'services/changes/feed',
  ),
  serviceMutant(
    'a feed: a stream asks whether its reader may still read',
    'changes/streams',
    "if (!(await isAllowed())) return 'over'",
    '',
    'services/changes/streams',
  ),
]
