import type { ReplicaReport } from '../replicas/reports.js'
import { cacheMetrics } from './cache-metrics.js'
import type { Family, Labels, Sample } from './exposition.js'
import { metric, type Metric, type Sections } from './metric.js'
import { serviceMetrics } from './service-metrics.js'

const METRICS = [...serviceMetrics, ...cacheMetrics]

/** Of every replica, also one that is silent; of which there is nothing else, for what it said last is no longer so. */
const OF_ALL = {
  up: metric(
    'gauge',
    'replica_up',
    "0: the replica has not reported for 15 s, or can't be heard of, while the database is down; it is forgotten after 10 min",
    '',
    () => [],
  ),
  age: metric('gauge', 'replica_report_age_seconds', 'How long ago the replica reported', '', () => []),
}

/** All that there are. */
export const metrics: readonly Metric[] = [...Object.values(OF_ALL), ...METRICS]

/** What all replicas report, each sample with the name of its replica. */
export function familiesOf(replicas: readonly ReplicaReport[]): Family[] {
  const heard = replicas.filter(({ isSilent }) => !isSilent)
  const up = replicas.map(({ name, isSilent }): Sample => [{ replica: name }, Number(!isSilent)])
  const age = replicas.map(({ name, ageMs }): Sample => [{ replica: name }, ageMs / 1_000])
  return [
    { ...OF_ALL.up, samples: up },
    { ...OF_ALL.age, samples: age },
    ...METRICS.map((described) => ({
      ...described,
      samples: heard.flatMap(({ name, report }) => samplesOf(described, report, { replica: name })),
    })),
  ]
}

/** None where the report is of a release that has no such section, or another one under its name. */
function samplesOf({ read }: Metric, report: object, replica: Labels): Sample[] {
  try {
    if (!isReport(report)) return []
    return [...read(report)]
      .filter(([labels, value]) => isValue(value) && !Object.values<unknown>(labels).includes(undefined))
      .map(([labels, value]): Sample => [{ ...replica, ...labels }, value])
  } catch {
    return []
  }
}

function isValue(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  return typeof value === 'object' && value !== null && 'seconds' in value && Number.isFinite(value.seconds)
}

/** What is in its sections is found out when it is read. */
function isReport(report: object): report is Sections {
  return 'service' in report
}
