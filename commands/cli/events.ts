/** One event of a stream: what has no `data` says with its `id` where to go on. */
export interface StreamEvent {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: string
}

/**
 * The events of a body of server-sent events. Its last one is dropped when its end has not arrived.
 * @param onBytes told of everything that arrives, comments too
 */
export async function* eventsOf(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of chunks) {
    onBytes()
    text += decoder.decode(chunk, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) yield eventIn(block)
  }
}

function eventIn(block: string): StreamEvent {
  const lines = block.split('\n')
  const valuesOf = (name: string): string[] =>
    lines.flatMap((line) => (line.startsWith(`${name}:`) ? [line.slice(name.length + 1).replace(/^ /, '')] : []))
  return { id: valuesOf('id').at(-1), event: valuesOf('event').at(-1), data: valuesOf('data').join('\n') }
}
