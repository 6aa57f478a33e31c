/** One finding of Ajv, as Fastify hands it on. */
export interface Finding {
  readonly instancePath: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message?: string | undefined
  /** The schema that was not met; its description says what a pattern wants. */
  readonly parentSchema?: Readonly<Record<string, unknown>> | undefined
}

/** A name that nobody knows may be as long as a body. */
const LONGEST_NAME = 100

/** Of one body. A list may have a hundred items, each of them wrong. */
const MOST_SENTENCES = 20

const PARTS: Readonly<Record<string, string>> = { querystring: 'query', params: 'path' }

/**
 * Says which field is wrong and what it must be: `body: platform must be one of etsy, shopify`.
 * @param part where it stood: `body`, `querystring`, `params` or `headers`
 */
export function validationMessage(part: string, findings: readonly Finding[]): string {
  const where = PARTS[part] ?? part
  const first = mostTelling(findings)
  if (first === undefined) return `${where} is invalid`
  return `${where}: ${sentence(first, alternatives(findings, first.instancePath))}`
}

/**
 * Says all that is wrong, a sentence for each field; the first one begins with the part.
 * @param findings of a validator that does not stop at the first one
 */
export function validationMessages(part: string, findings: readonly Finding[]): readonly string[] {
  const byField = new Map<string, Finding[]>()
  for (const found of findings) {
    // Several fields of one object may be missing or unknown.
    const { missingProperty = '', additionalProperty = missingProperty } = found.params
    const key = `${found.instancePath} ${JSON.stringify(additionalProperty)}`
    byField.set(key, [...(byField.get(key) ?? []), found])
  }
  const sentences = [...byField.values()].slice(0, MOST_SENTENCES).map((ofField) => {
    const first = mostTelling(ofField)
    return first === undefined ? 'it is invalid' : sentence(first, alternatives(ofField, first.instancePath))
  })
  return sentences.map((text, index) => (index === 0 ? `${part}: ${text}` : text))
}

/** Of a union every branch reports a finding: one about the value itself says more than "is not this type". */
function mostTelling(findings: readonly Finding[]): Finding | undefined {
  return findings.find(({ keyword }) => !['anyOf', 'const', 'type'].includes(keyword)) ?? findings[0]
}

/** The constants and types that a union offers at `path`. */
function alternatives(findings: readonly Finding[], path: string): string[] {
  const branches = findings.filter(({ instancePath }) => instancePath === path)
  return branches.flatMap(({ keyword, params }) => {
    if (keyword === 'const') return [String(params.allowedValue)]
    return keyword === 'type' ? [String(params.type).replaceAll(',', ' or ')] : []
  })
}

/** What a format asks for, where its name does not say it. */
const formats: Readonly<Record<string, string>> = {
  currency: 'the code of a currency in capital letters, such as EUR',
  coordinate: '0, or a number from 0.000001 to 1000000, also a negative one',
}

function sentence(
  { instancePath, keyword, params, message, parentSchema }: Finding,
  choices: readonly string[],
): string {
  const field = instancePath.slice(1).replaceAll('/', '.')
  const subject = field === '' ? 'it' : field
  const inner = (name: unknown): string => (field === '' ? String(name) : `${field}.${String(name)}`)
  switch (keyword) {
    case 'required':
      return `${inner(params.missingProperty)} is missing`
    case 'additionalProperties':
      return unknownField(inner(params.additionalProperty))
    case 'pattern':
      return `${subject} must be ${describedBy(parentSchema)}`
    case 'enum':
      return `${subject} must be one of ${String(params.allowedValues).replaceAll(',', ', ')}`
    case 'const':
    case 'type':
      return `${subject} must be ${choices.length > 1 ? 'one of ' : ''}${choices.join(', ')}`
    case 'format':
      return `${subject} must be ${formats[String(params.format)] ?? `a valid ${String(params.format)}`}`
    default:
      return `${subject} ${message ?? 'is invalid'}`
  }
}

function describedBy(schema: Finding['parentSchema']): string {
  const description = schema?.['description']
  return typeof description === 'string' ? description : 'in another form'
}

/** PHP and jQuery put brackets behind the name of a list. */
function unknownField(name: string): string {
  const hint = name.includes('[') ? ': several ids go into one key, separated by commas: ids=a,b' : ''
  return `${name.slice(0, LONGEST_NAME)} is not a known field${hint}`
}
