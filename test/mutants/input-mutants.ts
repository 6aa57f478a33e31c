import { type Mutant, serviceMutant } from './mutant.js'

/** What is refused of what comes in, and in which order answers leave. */
export const INPUT_MUTANTS: readonly Mutant[] = [
  {
    name: 'a refusal waits for the answers that are under way',
    edits: [
      {
        file: 'plugins/http/connections.ts',
        from: "answering.once('close', () => refuseInTurn(socket, refusal, answering.req))",
        to: 'refuse(socket, refusal)',
      },
    ],
    noticedBy: ['plugins/http/answers-in-order'],
  },
  {
    name: 'a request that was answered is not refused as well',
    edits: [
      {
        file: 'plugins/http/connections.ts',
        from: 'refusal.isWithinBody || answered !== refusal.received',
        to: 'answered === undefined',
      },
    ],
    noticedBy: ['plugins/http/answers-in-order'],
  },
  {
    name: 'a number that would be another one is refused',
    edits: [
      {
        file: 'plugins/http/bodies.ts',
        from: 'if (inexact === undefined) done(null, value)',
        to: 'if (inexact !== null) done(null, value)',
      },
    ],
    noticedBy: ['plugins/http/bodies'],
  },
  serviceMutant(
    'a whole number beyond what JavaScript counts in ones is refused, also where it is kept',
    'json-numbers',
    'return !isTooLarge && digitsOf',
    'return digitsOf',
    'services/json-numbers',
  ),
  serviceMutant(
    'a text that one database would not give back is refused',
    'texts',
    "if (text.startsWith('\\ufeff')) return",
    'if (text === undefined) return',
    'plugins/http/validation',
  ),
  serviceMutant(
    'a run of combining marks that takes long to compose is refused',
    'texts',
    'text.length > MOST_MARKS && LONG_RUN.test(text)',
    'text === undefined',
    'plugins/http/validation',
  ),
  serviceMutant(
    'an external_id that another row of a bulk has is free only once that row is written',
    'resource/bulk/at-once',
    'if (locked.has(holder)) throw new NotAtOnceError()',
    '',
    'routes/api/bulk',
  ),
  serviceMutant(
    'an index that a release has no use for stays while replicas of the one before may ask by it',
    'database/table-indexes',
    'if (isDue !== true || !isOwn) continue',
    'if (!isOwn) continue',
    'services/database/table-indexes',
  ),
  {
    name: 'a file in another language has the names that are not translated in their places',
    edits: [
      {
        file: 'commands/import/mapped-row.ts',
        from: 'names.every((name, place) => !layout.includes(name) || layout[place] === name)',
        to: 'true',
      },
    ],
    noticedBy: ['commands/csv'],
  },
]
