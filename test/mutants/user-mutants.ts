import { type Mutant, mutant, serviceMutant } from './mutant.js'

/** What sees to it that a user's tags reach everything of theirs, and that nobody is who they are not any more. */
export const USER_MUTANTS: readonly Mutant[] = [
  serviceMutant(
    'everything of a user carries the tag of the owner, lists too',
    'resource/addresses',
    '[this.#tag, ownerTag(this.#userId), ...this.#moreTags()]',
    "this.key.includes('?') ? [this.#tag] : [this.#tag, ownerTag(this.#userId)]",
    'services/resource/addresses',
  ),
  serviceMutant(
    'a change of a user raises their tokens',
    'users/addresses',
    "row: [profileTag('{id}'), tokensTag('{id}')],",
    "row: [profileTag('{id}')],",
    'services/users/tags',
  ),
  {
    name: 'a change of a user puts their tokens in doubt here at once',
    // By what it was told to change and by what it has changed: either is enough where it succeeds.
    edits: [
      {
        file: 'services/users/service.ts',
        from: 'this.#write([profileTag(userId), tokensTag(userId)], work',
        to: 'this.#write([profileTag(userId)], work',
      },
      {
        file: 'services/users/service.ts',
        from: '[profileTag(made.row.id), tokensTag(made.row.id)]',
        to: '[profileTag(made.row.id)]',
      },
    ],
    noticedBy: ['services/users/tags'],
  },
  serviceMutant(
    'what was judged of a token is judged anew when the profile is another one',
    'users/authenticator',
    ' || judged.profile !== profile.value',
    '',
    'services/users/authenticator',
  ),
  serviceMutant(
    'what was judged of a token is judged anew when the token is another one',
    'users/authenticator',
    'judged.token !== token.value || ',
    '',
    'services/users/authenticator',
  ),
  mutant(
    'what memory takes from Redis is as old as it was there',
    'fills',
    'const times = moments(now - Math.max(0, clock.wallMs() - loadedAt), {',
    'const times = moments(now, {',
    'lifetimes',
  ),
  mutant(
    'what memory takes from Redis is fresh for as long as the policy says at most',
    'fills',
    'freshMs: Math.min(stored.freshMs, longest.freshMs),',
    'freshMs: stored.freshMs,',
    'lifetimes',
  ),
  mutant(
    'what memory takes from Redis lives for as long as the policy says at most',
    'fills',
    'lifetimeMs: Math.min(stored.lifetimeMs, longest.lifetimeMs),',
    'lifetimeMs: stored.lifetimeMs,',
    'lifetimes',
  ),
  mutant('what may not live takes no place', 'fills', 'times.lifetimeMs > 0', 'times.lifetimeMs >= 0', 'lifetimes'),
  mutant(
    'a lifetime that is none is 0',
    'entry',
    'ms > 0 ? Math.min(ms, LONGEST_MS) : 0',
    'Math.min(ms, LONGEST_MS)',
    'lifetimes',
  ),
  mutant('a lifetime has an end', 'entry', 'ms > 0 ? Math.min(ms, LONGEST_MS) : 0', 'ms > 0 ? ms : 0', 'lifetimes'),
  serviceMutant(
    'while a replica is isolated a token opens nothing that is known to be in doubt',
    'users/addresses',
    "mayServeOnError: 'undoubted'",
    'mayServeOnError: true',
    'replicas/isolated',
  ),
  serviceMutant(
    'while a replica is isolated a token that it knew opens what is marked',
    'users/addresses',
    "mayServeOnError: 'undoubted'",
    'mayServeOnError: false',
    'replicas/isolated',
  ),
  serviceMutant(
    'while a replica is isolated a token opens something only if it was verified shortly before',
    'users/authenticator',
    ' || beforeMs > staleIfErrorMs',
    '',
    'services/users/authenticator',
  ),
  serviceMutant(
    'while a replica is isolated a token is told from one that was checked',
    'users/authenticator',
    'return { ...principal, isStale: true }',
    'return principal',
    'services/users/authenticator',
    'replicas/isolated',
  ),
  {
    name: 'while a replica is isolated nobody writes who could not be checked',
    edits: [
      {
        file: 'plugins/auth.ts',
        from: "return isStale && method !== 'GET' && method !== 'HEAD' ?",
        to: 'return method === "" ?',
      },
    ],
    noticedBy: ['replicas/isolated'],
  },
  {
    name: 'who could not be checked gets what is marked',
    edits: [
      {
        file: 'routes/api/answers.ts',
        from: "request.user?.isStale === true && lookup.outcome !== 'stale-if-error'",
        to: 'request.user === undefined',
      },
    ],
    noticedBy: ['routes/api/answers'],
  },
  serviceMutant(
    'a database that did not answer a write has refused nothing',
    'resource/addresses',
    'error instanceof DatabaseUnavailableError ? [] : [ownerTag(userId)]',
    'error === undefined ? [] : [ownerTag(userId)]',
    'replicas/isolated',
  ),
]
