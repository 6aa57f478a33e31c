import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import t from 'tap'
import { loadConfig } from '../plugins/config.js'
import { environmentSchema, variables } from '../services/config/environment.js'

const example = readFileSync(join(import.meta.dirname, '../.env.example'), 'utf8')

t.test('.env.example names every variable the service reads, once, and no other', async (t) => {
  const named = [...example.matchAll(/^(?:# )?([A-Z][A-Z0-9_]*)=/gm)].map(([, name = '']) => name)
  t.same(named.toSorted(), [...variables].toSorted())
})

/** The guide's own default would leave most of memory unused. */
const RECOMMENDED: Readonly<Record<string, string>> = { CACHE_MAX_MEMORY_ITEMS: '50000' }

t.test(
  'what it sets are the defaults, or what is recommended instead, so that a copy changes nothing else',
  async (t) => {
    const values = parseEnv(example)
    for (const [name, { default: value }] of Object.entries(environmentSchema.properties)) {
      t.equal(values[name], RECOMMENDED[name] ?? (value === undefined ? undefined : String(value)), name)
    }
    const [fromExample, fromNothing] = [loadConfig(values), loadConfig(RECOMMENDED)]
    t.same({ ...fromExample, adminTokens: [] }, { ...fromNothing, adminTokens: [] })
  },
)
