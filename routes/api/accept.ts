/** One member of a list, or one parameter of a member: a comma or semicolon within quotes is a part of the text. */
const MEMBERS = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g
const PARTS = /(?:[^;"]|"(?:[^"\\]|\\.)*"?)+/g

/** Anything else is no weight (RFC 9110, 12.4.2), and refuses what it stands behind. */
const WEIGHT = /^(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/**
 * How much an Accept header wants a media type that it names, from 0 to 1; 0 also where it does not name it, since who takes anything has
 * not asked for that. Of a type that is named twice the lower weight holds.
 */
export function weightOf(accept: string | undefined, mediaType: string): number {
  let weight: number | undefined
  for (const member of accept?.match(MEMBERS) ?? []) {
    const [type = '', ...parameters] = (member.match(PARTS) ?? []).map((part) => part.trim())
    if (type.toLowerCase() === mediaType) weight = Math.min(weight ?? 1, weightIn(parameters))
  }
  return weight ?? 0
}

/** The first `q`: those before it belong to the type, those behind it to nobody. */
function weightIn(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => /^q\s*=/i.test(parameter))
  return given === undefined ? 1 : Number(WEIGHT.exec(given.slice(2))?.[1] ?? 0)
}
