import { Type } from '@sinclair/typebox'

const Count = Type.Integer({ minimum: 0 })
const Figure = Type.Number({ minimum: 0 })
const Status = Type.Union([Type.Literal('healthy'), Type.Literal('degraded'), Type.Literal('unhealthy')])
const State = Type.Union([
  Type.Literal('coherent'),
  Type.Literal('memory-only'),
  Type.Literal('isolated'),
  Type.Literal('disabled'),
])

export const Health = Type.Object({
  status: Status,
  state: State,
  last_check: Type.String({ format: 'date-time' }),
  uptime_seconds: Count,
  cache_health: Type.Object({
    redis: Type.String(),
    redis_refuses: Type.Union([Type.String(), Type.Null()]),
    memory: Type.String(),
    journal: Type.String(),
    announcements: Type.String(),
    database: Type.String(),
    loads: Type.String(),
    overall: Status,
  }),
  performance_stats: Type.Object({
    hits: Count,
    misses: Count,
    hit_rate_percent: Figure,
    redis_available: Type.Boolean(),
    enabled: Type.Boolean(),
  }),
  /** How often this replica entered each state. */
  state_changes: Type.Record(Type.String(), Count),
})

export const Stats = Type.Object({
  service_status: Status,
  last_health_check: Type.String({ format: 'date-time' }),
  cache_stats: Type.Object({
    hits: Count,
    misses: Count,
    memory_hits: Count,
    redis_hits: Count,
    stale_hits: Count,
    negative_hits: Count,
    redis_errors: Count,
    redis_refusals: Count,
    redis_refuses: Type.Union([Type.String(), Type.Null()]),
    invalid_entries: Count,
    oversized_entries: Count,
    /** Hits that were compared with the database a moment later. */
    verified: Type.Object({ confirmed: Count, missed: Count, undecided: Count }),
    memory_errors: Count,
    background_errors: Count,
    hit_rate_percent: Figure,
    memory_cache_size: Count,
    memory_cache_bytes: Count,
    evictions: Count,
    expirations: Count,
    invalidations: Count,
    loads: Count,
    refused_fills: Count,
    redis_available: Type.Boolean(),
    enabled: Type.Boolean(),
  }),
  /** Without who users and their tokens are. */
  documents: Type.Object({ hits: Count, misses: Count, hit_rate_percent: Figure }),
  domains: Type.Record(
    Type.String(),
    Type.Object({
      hits: Count,
      misses: Count,
      hit_rate_percent: Figure,
      loads: Count,
      load_ms_p50: Figure,
      load_ms_p99: Figure,
    }),
  ),
})

const Tier = Type.Object({
  present: Type.Boolean(),
  state: Type.String(),
  age_ms: Type.Union([Type.Number(), Type.Null()]),
  ttl_ms: Type.Union([Type.Number(), Type.Null()]),
  negative: Type.Boolean(),
  snapshot: Type.Union([Type.String(), Type.Null()]),
  tags: Type.Array(
    Type.Object({ tag: Type.String(), last_change: Type.Number(), shown: Type.Boolean(), in_doubt: Type.Boolean() }),
  ),
  verdict: Type.String(),
})

export const Inspection = Type.Object({
  key: Type.String(),
  verdict: Type.String(),
  seen: Type.Union([Type.String(), Type.Null()]),
  memory: Tier,
  redis: Tier,
})

/** Either a key, or a URL as it is asked for; `user_id`: whose, where the URL does not tell. */
export const InspectQuery = Type.Object(
  {
    key: Type.Optional(
      Type.String({ minLength: 1, maxLength: 2_000, examples: ['0199d3c4-7a51-7c3e-9f00-3d6f8b2a1c44/profile'] }),
    ),
    url: Type.Optional(
      Type.String({ minLength: 1, maxLength: 4_000, examples: ['/api/designs/0199d3c4-7a51-7c3e-9f00-3d6f8b2a1c44'] }),
    ),
    user_id: Type.Optional(Type.String({ format: 'uuid' })),
  },
  { additionalProperties: false },
)

/** `tags`: how many were raised. */
export const Cleared = Type.Object({
  cleared: Type.Union([Type.Literal('user'), Type.Literal('template'), Type.Literal('everything')]),
  user_id: Type.Optional(Type.String()),
  template_id: Type.Optional(Type.String()),
  tags: Count,
  message: Type.String(),
})

export const UserParams = Type.Object({ user_id: Type.String({ format: 'uuid' }) })
export const TemplateParams = Type.Object({ template_id: Type.String({ format: 'uuid' }) })
