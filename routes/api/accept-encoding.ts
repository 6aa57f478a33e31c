/** Texts whose judgement is remembered, each shorter than the 16 KiB that node takes of all headers together. */
const MOST_TEXTS = 100

/** Anything else is no weight (RFC 9110, 12.4.2). */
const WEIGHT = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i

/**
 * Whether a client with this Accept-Encoding is sent gzip (RFC 9110, 12.5.3): it takes it, and would not rather have the
 * plain bytes. Not without the header, although that allows any coding: such a client may not know how to unpack.
 */
export function takesGzip(acceptEncoding: string | undefined): boolean {
  return acceptEncoding !== undefined && judge(acceptEncoding)
}

const judge = remembered(prefersGzip, MOST_TEXTS)

/** `judge`, asked once per text as long as the texts are few; beyond `most` of them it starts over. */
export function remembered(judge: (text: string) => boolean, most: number): (text: string) => boolean {
  const judged = new Map<string, boolean>()
  return (text) => {
    const known = judged.get(text)
    if (known !== undefined) return known
    if (judged.size >= most) judged.clear()
    const judgement = judge(text)
    judged.set(text, judgement)
    return judgement
  }
}

function prefersGzip(text: string): boolean {
  const weights = weightsIn(text)
  const others = weights.get('*') ?? 0
  const gzip = weights.get('gzip') ?? others
  return gzip > 0 && gzip >= (weights.get('identity') ?? others)
}

/** The weight of each coding named. A weight that is none refuses its coding; of a coding named twice the lower holds. */
function weightsIn(text: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const member of text.split(',')) {
    const [name = '', ...parameters] = member.split(';').map((part) => part.trim())
    const coding = name.toLowerCase().replace(/^x-gzip$/, 'gzip')
    const weight = parameters.length === 0 ? 1 : Number(WEIGHT.exec(parameters.join(';'))?.[1] ?? 0)
    weights.set(coding, Math.min(weight, weights.get(coding) ?? 1))
  }
  return weights
}
