import type { Span, SpanOptions } from '@opentelemetry/api'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Trace } from '../services/cache/index.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Spans for what the cache does; `undefined` without TRACING, so that nothing is paid. */
    traceSteps: Trace | undefined
  }
}

const NAME = 'roundhouse'

/**
 * With TRACING a span for each request and, under it, one for each time Redis is asked and for each load, by OpenTelemetry's API. An SDK that
 * the process has loaded takes them; without one they go nowhere. Off, the API is not even loaded.
 */
export default fp(
  async (fastify) => {
    if (!fastify.config.isTracing) {
      fastify.decorate('traceSteps', undefined)
      return
    }
    const { context, propagation, SpanKind, SpanStatusCode, trace } = await import('@opentelemetry/api')
    const tracer = trace.getTracer(NAME)
    const spans = new WeakMap<FastifyRequest, Span>()

    fastify.addHook('onRequest', (request, _reply, done) => {
      const { method, routeOptions, headers } = request
      const route = routeOptions.url ?? 'none'
      const options: SpanOptions = {
        kind: SpanKind.SERVER,
        attributes: { 'http.request.method': method, 'http.route': route, 'url.scheme': request.protocol },
      }
      const caller = propagation.extract(context.active(), headers)
      const span = tracer.startSpan(`${method} ${route}`, options, caller)
      spans.set(request, span)
      context.with(trace.setSpan(caller, span), done)
    })

    fastify.addHook('onResponse', (request, reply, done) => {
      end(request, reply.statusCode, reply.getHeader('cache-status'))
      done()
    })
    fastify.addHook('onRequestAbort', (request, done) => {
      end(request, 499, undefined)
      done()
    })

    function end(request: FastifyRequest, status: number, cacheStatus: unknown): void {
      const span = spans.get(request)
      if (span === undefined) return
      spans.delete(request)
      span.setAttribute('http.response.status_code', status)
      if (typeof cacheStatus === 'string') span.setAttribute('http.response.header.cache-status', cacheStatus)
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
    }

    const traceSteps: Trace = (step, domain, work) =>
      tracer.startActiveSpan(
        `cache ${step}`,
        { attributes: { 'roundhouse.domain': domain ?? 'default' } },
        async (span) => {
          try {
            return await work()
          } catch (error) {
            span.setStatus({ code: SpanStatusCode.ERROR })
            throw error
          } finally {
            span.end()
          }
        },
      )
    fastify.decorate('traceSteps', traceSteps)
  },
  { name: 'tracing', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)
