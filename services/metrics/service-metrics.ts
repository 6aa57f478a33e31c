import { metric, type Metric, ofRoutes, one } from './metric.js'

/** Of requests, the database's pool and the process. */
export const serviceMetrics: readonly Metric[] = [
  metric(
    'gauge',
    'info',
    'Which Node and which kind of database a replica has; always 1',
    'node database',
    ({ service }) => [[{ node: service.node, database: service.database }, 1]],
  ),
  metric(
    'gauge',
    'start_time_seconds',
    'When the process started, in seconds since 1970',
    '',
    one(({ service }) => Date.parse(service.started_at) / 1_000),
  ),
  metric(
    'counter',
    'http_requests_total',
    'Answers by route and status; route "none": what no route has',
    'method route status',
    ofRoutes(({ statuses }) => Object.entries(statuses).map(([status, count]) => [{ status }, count])),
  ),
  metric(
    'histogram',
    'http_request_duration_seconds',
    'From the request to the end of its answer',
    'method route',
    ofRoutes(({ durations }) => (durations === null ? [] : [[{}, durations]])),
  ),
  metric('gauge', 'database_pool_connections', 'Connections of the pool', 'state', ({ pool }) => [
    [{ state: 'used' }, pool.used],
    [{ state: 'idle' }, pool.idle],
  ]),
  metric(
    'gauge',
    'database_pool_waiting',
    'Who waits for a connection of the pool',
    '',
    one(({ pool }) => pool.waiting),
  ),
  metric(
    'gauge',
    'database_pool_max_connections',
    'DATABASE_POOL_SIZE',
    '',
    one(({ pool }) => pool.max),
  ),
  metric(
    'gauge',
    'database_pool_allowed_connections',
    'How many of these requests may use now: fewer while the event loop is late by the work of the service',
    '',
    one(({ pool }) => pool.allowed),
  ),
  metric(
    'gauge',
    'event_loop_delay_seconds',
    'By how much timers came late, over 10 to 20 s',
    'percentile',
    ({ process: { event_loop: loop } }) => [
      [{ percentile: 50 }, loop.p50],
      [{ percentile: 99 }, loop.p99],
      [{ percentile: 100 }, loop.max],
    ],
  ),
  metric(
    'gauge',
    'event_loop_utilization',
    'Share of the time that the event loop was at work, over 10 to 20 s',
    '',
    one(({ process: { event_loop: loop } }) => loop.utilization),
  ),
  metric(
    'gauge',
    'process_resident_memory_bytes',
    'Memory of the process',
    '',
    one(({ process: { resident_bytes } }) => resident_bytes),
  ),
  metric(
    'gauge',
    'process_heap_used_bytes',
    'Of it, what JavaScript uses',
    '',
    one(({ process: { heap_used_bytes } }) => heap_used_bytes),
  ),
  metric(
    'counter',
    'process_cpu_seconds_total',
    'Time of the processor that the process took',
    '',
    one(({ process: { cpu_seconds } }) => cpu_seconds),
  ),
]
