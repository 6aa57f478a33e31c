/**
 * What the engine asks of a Redis client (an ioredis `Redis` or `Cluster` fits). The client brings the time limit:
 * every command rejects within it, at once while not connected (no offline queue), and none is sent again after
 * a reconnect.
 */
export interface RedisClient {
  readonly status: string
  mget(keys: string[]): Promise<(string | null)[]>
  get(key: string): Promise<string | null>
  pttl(key: string): Promise<number>
  ping(): Promise<string>
  eval(script: string, keyCount: number, ...keysAndArguments: (string | number)[]): Promise<unknown>
  evalsha(sha: string, keyCount: number, ...keysAndArguments: (string | number)[]): Promise<unknown>
  on(event: RedisEvent, listener: () => void): unknown
  off(event: RedisEvent, listener: () => void): unknown
}

/** The last three come from a cluster only: one of its nodes came, went or failed. */
export type RedisEvent = 'ready' | 'close' | '+node' | '-node' | 'node error'
