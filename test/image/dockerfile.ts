import { DockerfileParser, Env, From, type Instruction, ModifiableInstruction } from 'dockerfile-ast'

/** One instruction that can be followed without a container. `text` is the line as it is written. */
export type Step = { readonly text: string } & (
  | { readonly kind: 'env'; readonly values: Readonly<Record<string, string>> }
  | { readonly kind: 'workdir'; readonly path: string }
  | {
      readonly kind: 'copy'
      readonly from: string | undefined
      readonly sources: readonly string[]
      readonly to: string
    }
  | { readonly kind: 'run'; readonly command: readonly string[] }
  | { readonly kind: 'user'; readonly name: string }
  | { readonly kind: 'cmd' | 'entrypoint' | 'healthcheck'; readonly command: readonly string[] }
  | { readonly kind: 'note' }
)

export interface Stage {
  readonly name: string | undefined
  readonly image: string
  readonly steps: readonly Step[]
}

/** What is only written down in an image. */
const NOTES = ['EXPOSE', 'LABEL', 'STOPSIGNAL']

/**
 * The stages of a Dockerfile.
 * @throws on every instruction, flag or variable whose meaning is not known here: none is passed over
 */
export function parseDockerfile(text: string): Stage[] {
  const stages: (Stage & { steps: Step[] })[] = []
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    if (instruction instanceof From) {
      const image = instruction.getImage()
      if (image === null || instruction.getFlags().length > 0) throw unknown(instruction)
      refuseVariables(instruction)
      stages.push({ name: instruction.getBuildStage() ?? undefined, image, steps: [] })
    } else {
      const stage = stages.at(-1)
      if (stage === undefined) throw unknown(instruction)
      stage.steps.push(stepOf(instruction))
    }
  }
  if (stages.length === 0) throw new Error('There is no FROM')
  return stages
}

function stepOf(instruction: Instruction): Step {
  const keyword = instruction.getKeyword()
  const content = instruction.getArgumentsContent() ?? ''
  const flags = instruction instanceof ModifiableInstruction ? instruction.getFlags() : []
  const text = [keyword, ...flags.map(String), content].join(' ')
  if (keyword !== 'RUN') refuseVariables(instruction)
  if (flags.some((flag) => keyword !== 'HEALTHCHECK' && !(keyword === 'COPY' && flag.getName() === 'from'))) {
    throw unknown(instruction)
  }
  if (instruction instanceof Env) {
    const values = instruction.getProperties().map((property) => [property.getName(), property.getValue() ?? ''])
    return { kind: 'env', text, values: Object.fromEntries(values) }
  }
  switch (keyword) {
    case 'WORKDIR':
      return { kind: 'workdir', text, path: content }
    case 'COPY': {
      const words = execForm(content) ?? instruction.getArguments().map((argument) => argument.getValue())
      const [sources, to] = [words.slice(0, -1), words.at(-1)]
      if (to === undefined || sources.length === 0 || words.some((word) => /[*?[]|^<</.test(word)))
        throw unknown(instruction)
      return { kind: 'copy', text, from: flags[0]?.getValue() ?? undefined, sources, to }
    }
    case 'RUN':
      if (content.includes('<<')) throw unknown(instruction)
      return { kind: 'run', text, command: commandOf(content) }
    case 'USER':
      return { kind: 'user', text, name: content }
    case 'CMD':
      return { kind: 'cmd', text, command: commandOf(content) }
    case 'ENTRYPOINT':
      return { kind: 'entrypoint', text, command: commandOf(content) }
    case 'HEALTHCHECK':
      return content === 'NONE'
        ? { kind: 'note', text }
        : { kind: 'healthcheck', text, command: commandOf(content.replace(/^CMD\s+/, '')) }
    default:
      if (NOTES.includes(keyword)) return { kind: 'note', text }
      throw unknown(instruction)
  }
}

/** The exec form as it is, the shell form as Docker runs it. */
function commandOf(content: string): string[] {
  return execForm(content) ?? ['/bin/sh', '-c', content]
}

function execForm(content: string): string[] | undefined {
  if (!content.startsWith('[')) return undefined
  const words: unknown = JSON.parse(content)
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) return undefined
  return words
}

function refuseVariables(instruction: Instruction): void {
  if (instruction.getVariables().length > 0) throw unknown(instruction)
}

function unknown(instruction: Instruction): Error {
  const line = instruction.getRange().start.line + 1
  const text = `${instruction.getKeyword()} ${instruction.getRawArgumentsContent() ?? ''}`
  return new Error(
    `Dockerfile line ${line}: no meaning is known here for "${text}". Teach it to test/image, or leave it out`,
  )
}
