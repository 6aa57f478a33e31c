import uPlot from './uPlot.js'
import { hitRate, lonelyIn, percentile, together, withGaps } from './figures.js'
import { milliseconds, percent, rate, time } from './format.js'
import { byId, fill, make, mark, say } from './dom.js'

/** @import { Pace, Tick } from './types.js' */
/** @typedef {Pace & { barrierMs: number | null, boundMs: number | null }} Point */
/** @typedef {{ label: string, colour: string, dash?: number[], of: (point: Point) => number | null | undefined }} Line */
/** @typedef {{ id: string, title: string, about: string, show: (value: number | null | undefined) => string, isStacked?: boolean, isLog?: boolean, most?: number, lines: Line[] }} Chart */

const HEIGHT = 190
/** Fewer seconds than this are not stretched over the whole width. */
const LEAST_SECONDS = 60
const TABLE_ROWS = 12
const FONT = '12px system-ui, sans-serif'

/** @type {readonly Chart[]} */
const CHARTS = [
  {
    id: 'reads',
    title: 'Who answers reads',
    about: 'Reads a second, one tier on the other: the taller the lowest part, the more memory answers.',
    show: (value) => `${rate(value)}/s`,
    isStacked: true,
    lines: [
      { label: 'memory', colour: 'memory', of: ({ memory }) => memory },
      { label: 'Redis', colour: 'redis', of: ({ redis }) => redis },
      { label: 'database', colour: 'miss', of: ({ miss }) => miss },
    ],
  },
  {
    id: 'rate',
    title: 'Hit rate',
    about: 'The share of reads that no database was asked for.',
    show: percent,
    most: 100,
    lines: [{ label: 'hits', colour: 'memory', of: hitRate }],
  },
  {
    id: 'latency',
    title: 'How long answers take',
    about: 'Of the last ten seconds, hits and misses side by side, on a scale of powers of ten.',
    show: milliseconds,
    isLog: true,
    lines: [
      { label: 'hits, half below', colour: 'memory', of: ({ hits }) => percentile(hits, 50) },
      { label: 'hits, 99 %', colour: 'memory', dash: [3, 3], of: ({ hits }) => percentile(hits, 99) },
      { label: 'misses, half below', colour: 'miss', of: ({ misses }) => percentile(misses, 50) },
      { label: 'misses, 99 %', colour: 'miss', dash: [3, 3], of: ({ misses }) => percentile(misses, 99) },
    ],
  },
  {
    id: 'barrier',
    title: 'Oldest barrier against the bound H',
    about: 'No answer is older than the barrier. Above H a replica asks the database for every read.',
    show: milliseconds,
    lines: [
      { label: 'oldest barrier', colour: 'redis', of: ({ barrierMs }) => barrierMs },
      { label: 'bound H', colour: 'muted', dash: [6, 4], of: ({ boundMs }) => boundMs },
    ],
  },
]

/** The charts of the selected replicas. */
export class Charts {
  /** @type {{ chart: Chart, plot: uPlot, frame: HTMLElement, legend: HTMLElement, table: HTMLElement, details: HTMLDetailsElement }[]} */
  #made = []
  /** @type {WeakMap<Tick, Point>} */
  #points = new WeakMap()
  #selection = ''
  /** @type {readonly Tick[]} */
  #ticks = []
  /** @type {number | null} */
  #boundMs = null

  constructor() {
    this.#make()
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#make()
      this.#show()
    })
  }

  /**
   * @param {readonly Tick[]} ticks
   * @param {string} selection empty: all replicas
   * @param {number | null} boundMs
   */
  update(ticks, selection, boundMs) {
    if (selection !== this.#selection || boundMs !== this.#boundMs) this.#points = new WeakMap()
    this.#selection = selection
    this.#boundMs = boundMs
    this.#ticks = ticks
    this.#show()
  }

  #make() {
    for (const { plot } of this.#made) plot.destroy()
    byId('charts').replaceChildren()
    this.#made = CHARTS.map((chart) => {
      const legend = make('ul', { class: 'legend' })
      const frame = make('div', { class: 'plot', role: 'img', 'aria-label': chart.title })
      const table = make('tbody')
      const heads = ['When', ...chart.lines.map(({ label }) => label)].map((head) => make('th', { scope: 'col' }, head))
      const scroll = make('div', {
        class: 'scroll',
        tabindex: '0',
        role: 'region',
        'aria-label': `${chart.title}, as a table`,
      })
      scroll.append(make('table', { class: 'wide' }, make('thead', {}, make('tr', {}, ...heads)), table))
      const details = make('details', {}, make('summary', {}, 'As a table'), scroll)
      details.addEventListener('toggle', () => this.#show())
      for (const { label, colour, dash } of chart.lines) {
        const swatch = make('span', { class: `swatch ${colour}${dash === undefined ? '' : ' dashed'}` })
        legend.append(make('li', {}, swatch, ` ${label} `, make('b', {}, '–')))
      }
      const heading = make('h2', { title: chart.about }, chart.title)
      byId('charts').append(
        make(
          'article',
          { class: 'chart' },
          heading,
          make('p', { class: 'about' }, chart.about),
          frame,
          legend,
          details,
        ),
      )
      const plot = new uPlot(
        optionsFor(chart, frame, () => this.#tellCursor()),
        [[], ...chart.lines.map(() => [])],
        frame,
      )
      new ResizeObserver(() => plot.setSize({ width: frame.clientWidth, height: HEIGHT })).observe(frame)
      return { chart, plot, frame, legend, table, details }
    })
  }

  /** @param {Tick} tick */
  #point(tick) {
    const known = this.#points.get(tick)
    if (known !== undefined) return known
    const chosen = [...tick.of]
      .filter(([name]) => this.#selection === '' || name === this.#selection)
      .map(([, pace]) => pace)
    const whole = together(chosen)
    const ages = chosen.flatMap(({ barrierMs }) => barrierMs ?? [])
    const point = whole && { ...whole, barrierMs: ages.length === 0 ? null : Math.max(...ages), boundMs: this.#boundMs }
    if (point !== undefined) this.#points.set(tick, point)
    return point
  }

  #show() {
    const shown = this.#ticks.flatMap((tick) => {
      const point = this.#point(tick)
      return point === undefined ? [] : [{ at: tick.at, point }]
    })
    for (const { chart, plot, table, details } of this.#made) {
      const lines = chart.lines.map(({ of }) => shown.map(({ point }) => of(point) ?? null))
      const times = shown.map(({ at }) => at)
      plot.setData([times, ...(chart.isStacked ? stacked(lines) : lines.map((line) => withGaps(times, line)))])
      if (details.open) {
        const rows = shown.slice(-TABLE_ROWS).toReversed()
        fill(
          table,
          rows.map(({ at, point }) => [time(at * 1_000), ...chart.lines.map(({ of }) => chart.show(of(point)))]),
        )
      }
    }
    this.#tellCursor()
  }

  /** The legend has the figures under the cursor, or the last ones. */
  #tellCursor() {
    const times = this.#made[0]?.plot.data[0] ?? []
    for (const { chart, plot, legend, frame } of this.#made) {
      const at = plot.cursor.idx ?? times.length - 1
      const tick = this.#ticks.find(({ at: when }) => when === times[at])
      const point = tick && this.#point(tick)
      const values = chart.lines.map(({ label, of }, n) => {
        const value = chart.show(point && of(point))
        const place = legend.children[n]?.lastElementChild
        if (place) say(place, value)
        return `${label} ${value}`
      })
      mark(frame, 'aria-label', `${chart.title}. Now: ${values.join(', ')}`)
    }
  }
}

/**
 * Each line on top of those before it; drawn from the highest to the lowest, so that each covers what is not its own.
 * @param {(number | null)[][]} lines
 */
function stacked(lines) {
  const [first = []] = lines
  const sums = first.map(() => 0)
  const tops = lines.map((line) => line.map((value, n) => (sums[n] = (sums[n] ?? 0) + (value ?? 0))))
  return tops.toReversed()
}

/**
 * @param {Chart} chart
 * @param {HTMLElement} frame
 * @param {() => void} onCursor
 * @returns {uPlot.Options}
 */
function optionsFor(chart, frame, onCursor) {
  const style = getComputedStyle(document.documentElement)
  /** @param {string} name */
  const colour = (name) => style.getPropertyValue(`--${name}`).trim()
  const grid = { stroke: colour('line'), width: 1 }
  const axis = { stroke: colour('muted'), font: FONT, grid, ticks: { show: false } }
  const lines = chart.isStacked ? chart.lines.toReversed() : chart.lines
  return {
    width: Math.max(frame.clientWidth, 200),
    height: HEIGHT,
    padding: [10, 8, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'roundhouse' }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: (_plot, from, to) => [Math.min(from, to - LEAST_SECONDS), to] },
      y: chart.isLog
        ? {
            distr: 3,
            range: (_plot, low, high) => [
              10 ** Math.floor(Math.log10(low || 0.1)),
              10 ** Math.ceil(Math.log10(high || 10)),
            ],
          }
        : { range: (_plot, _low, high) => [0, chart.most ?? Math.max(1, (high || 0) * 1.15)] },
    },
    axes: [
      { ...axis, size: 30, space: 76, values: (_plot, splits) => splits.map((at) => time(at * 1_000)) },
      {
        ...axis,
        size: 58,
        ...(chart.isLog && { filter: powersOfTen, grid: { ...grid, filter: powersOfTen } }),
        values: (_plot, splits) => splits.map((value) => (value === null ? '' : axisText(chart, value))),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, colour: name, dash }) => ({
        label,
        stroke: colour(name),
        width: 2,
        points: { show: false, size: 4, fill: colour(name), filter: lonelyPoints },
        ...(dash && { dash }),
        ...(chart.isStacked && { fill: colour(`${name}-fill`), width: 1 }),
      })),
    ],
    hooks: { setCursor: [onCursor] },
  }
}

/** @param {uPlot} plot @param {number} n which line */
function lonelyPoints(plot, n) {
  return lonelyIn([...(plot.data[n] ?? [])])
}

/** @param {Chart} chart @param {number} value */
function axisText({ show, isStacked }, value) {
  return isStacked ? rate(value) : show(value).replace(/\.0+(?=\s)/, '')
}

/** @type {(plot: uPlot, splits: number[]) => (number | null)[]} */
function powersOfTen(_plot, splits) {
  return splits.map((value) => (Math.abs(Math.log10(value) % 1) < 1e-9 ? value : null))
}
