import { Seeded } from '../../test/helpers/seeded.js'

const WORDS =
  'leaves cotton pattern drawn hand four colours printed summer poster mug shirt forest line ink night river'.split(' ')

/** The JSON of a list of rows as the service has them, at least so many bytes long: ids and words that a seed repeats. */
export function listOf(bytes: number, seed: number): string {
  const seeded = new Seeded(seed)
  const hex = (length: number): string => Array.from({ length }, () => seeded.below(16).toString(16)).join('')
  const words = (count: number): string =>
    Array.from({ length: count }, () => WORDS[seeded.below(WORDS.length)]).join(' ')
  const rows: string[] = []
  for (let length = 0; length < bytes; length = rows.join(',').length) {
    const id = `019ab${hex(3)}-${hex(4)}-7${hex(3)}-a${hex(3)}-${hex(12)}`
    rows.push(
      JSON.stringify({
        id,
        user_id: '019ab111-2222-7333-a444-555566667777',
        version: seeded.below(50),
        filename: `${words(2).replace(' ', '-')}-${seeded.below(1_000)}.png`,
        file_path: `designs/2026/11/${id}.png`,
        description: words(20 + seeded.below(30)),
        tags: words(4).split(' '),
        platform: 'etsy',
        is_active: true,
        created_at: `2026-11-${10 + seeded.below(20)}T10:00:00.000Z`,
      }),
    )
  }
  return `{"items":[${rows.join(',')}],"next_cursor":null}`
}
