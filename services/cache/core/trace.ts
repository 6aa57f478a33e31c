/** A part of a read that takes time: asking Redis, or a load. */
export type Step = 'redis' | 'load'

/** Runs `work` as a step that the host watches, in its own way. What `work` answers or throws comes out as it is. */
export type Trace = <Result>(step: Step, domain: string | undefined, work: () => Promise<Result>) => Promise<Result>
