export const OURS = 'roundhouse'

/** The caches of others that ours is measured beside, by their packages' names. */
export const PEERS = ['layered-loader', 'async-cache-dedupe', 'bentocache', 'cacheable', 'cache-manager', 'cachified']
