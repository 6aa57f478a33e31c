import { context, propagation, type SpanContext, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import t from 'tap'
import { startService } from '../helpers/app.js'
import { sharedPostgres, sharedRedis } from '../helpers/servers/shared-servers.js'

const exporter = new InMemorySpanExporter()
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))

/** As the W3C's propagator of an SDK does it. */
propagation.setGlobalPropagator({
  inject() {},
  extract(from, carrier: { readonly traceparent?: string }) {
    const [, traceId, spanId] = carrier.traceparent?.split('-') ?? []
    if (traceId === undefined || spanId === undefined) return from
    const given: SpanContext = { traceId, spanId, traceFlags: 1, isRemote: true }
    return trace.setSpanContext(from, given)
  },
  fields: () => ['traceparent'],
})

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-01`

/** The spans of what `work` asks. */
async function spansOf(work: () => Promise<unknown>): Promise<ReadableSpan[]> {
  exporter.reset()
  await work()
  return exporter.getFinishedSpans()
}

t.test('with TRACING a request is a span, with one for each tier that is asked and for the load', async (t) => {
  const { createDatabase } = await sharedPostgres(t)
  const { url } = await sharedRedis(t)
  const { newUser } = await startService(t, {
    env: { TRACING: 'true', DATABASE_URL: await createDatabase(), REDIS_URL: url },
  })
  const user = await newUser()
  const headers = { traceparent }

  const miss = (await spansOf(() => user.get('/api/designs', headers))).filter(
    ({ name, attributes }) => !name.startsWith('cache') || attributes['roundhouse.domain'] === 'design_lists',
  )
  const request = miss.find(({ name }) => name === 'GET /api/designs')
  t.match(request?.attributes, {
    'http.request.method': 'GET',
    'http.route': '/api/designs',
    'http.response.status_code': 200,
    'http.response.header.cache-status': /fwd=miss/,
  })
  t.match(request, { parentSpanContext: { spanId: 'b7ad6b7169203331' } }, 'it continues what the caller began')
  t.same(miss.map(({ name }) => name).toSorted(), ['GET /api/designs', 'cache load', 'cache redis'])
  const steps = miss.filter((span) => span !== request)
  t.ok(steps.every(({ parentSpanContext }) => parentSpanContext?.spanId === request?.spanContext().spanId))
  t.ok(miss.every((span) => span.spanContext().traceId === TRACE_ID))

  const hit = await spansOf(() => user.get('/api/designs', headers))
  t.match(hit, [{ name: 'GET /api/designs', attributes: { 'http.response.header.cache-status': /^roundhouse; hit/ } }])
  t.equal(hit.length, 1)

  t.match(await spansOf(() => user.get('/nothing')), [
    { name: 'GET none', attributes: { 'http.response.status_code': 404 } },
  ])
})

t.test('without it there is none', async (t) => {
  const { newUser } = await startService(t)
  const user = await newUser()
  t.same(await spansOf(() => user.get('/api/designs', { traceparent })), [])
})
