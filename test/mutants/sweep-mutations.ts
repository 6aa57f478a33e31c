import { parseSync } from 'oxc-parser'

/** One small change of a source. */
export interface Mutation {
  readonly line: number
  /** `a < b → a <= b`, shortened. */
  readonly what: string
  /** The whole source with the change. */
  readonly source: string
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
}

/** What a piece of source becomes. */
interface Change {
  readonly from: number
  readonly to: number
  readonly text: string
}

const SWAPS: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '+': '-',
  '-': '+',
  '*': '/',
  '&&': '||',
  '||': '&&',
}
const LONGEST_SHOWN = 60

/** All changes of one operator, condition, literal or statement that `source` has room for; types are left alone. */
export function mutationsOf(path: string, source: string): Mutation[] {
  const { program, errors } = parseSync(path, source)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const changes: Change[] = []
  visit(program, source, changes)
  return changes.map(({ from, to, text }) => ({
    line: source.slice(0, from).split('\n').length,
    what: `${shown(source.slice(from, to))} → ${shown(text)}`,
    source: source.slice(0, from) + text + source.slice(to),
  }))
}

function visit(node: Node, source: string, changes: Change[]): void {
  changes.push(...changesOf(node, source))
  for (const [key, value] of Object.entries(node)) {
    if (key === 'typeAnnotation' || key === 'returnType' || key === 'typeArguments' || key === 'typeParameters')
      continue
    for (const child of Array.isArray(value) ? value : [value])
      if (isNode(child) && !isOfTypes(child)) visit(child, source, changes)
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

/** Nothing of it runs. */
function isOfTypes({ type }: Node): boolean {
  return (type.startsWith('TS') && !/^TS(As|NonNull|Satisfies)/.test(type)) || type === 'ImportDeclaration'
}

function changesOf(node: Node, source: string): Change[] {
  const text = source.slice(node.start, node.end)
  const whole = (becomes: string): Change => ({ from: node.start, to: node.end, text: becomes })
  switch (node.type) {
    case 'BinaryExpression':
    case 'LogicalExpression': {
      const { left, right, operator } = node as Node & { left: Node; right: Node; operator: string }
      if (operator === '??') return [whole(source.slice(left.start, left.end))]
      const other = SWAPS[operator]
      if (other === undefined) return []
      const at = source.indexOf(operator, left.end)
      return at < 0 || at > right.start ? [] : [{ from: at, to: at + operator.length, text: other }].map(inContext)
    }
    case 'IfStatement':
    case 'ConditionalExpression':
    case 'WhileStatement': {
      const { test } = node as Node & { test: Node }
      return ['true', 'false'].map((value) => ({ from: test.start, to: test.end, text: value }))
    }
    case 'UnaryExpression':
      return text.startsWith('!') ? [whole(text.slice(1))] : []
    case 'Literal':
      return text === 'true' ? [whole('false')] : text === 'false' ? [whole('true')] : []
    case 'ExpressionStatement': {
      const { expression } = node as Node & { expression: Node }
      return /^(Call|Await|Assignment|Update)/.test(expression.type) && !text.startsWith('super') ? [whole(';')] : []
    }
    default:
      return []
  }

  /** With what stands around it, so that a reader sees what was changed. */
  function inContext({ from, to, text: becomes }: Change): Change {
    return whole(source.slice(node.start, from) + becomes + source.slice(to, node.end))
  }
}

function shown(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN)}…` : line
}
