/**
 * What HTTP calls each status. Not by an import: that reads every name of node:http, and one of them loads the client behind `fetch`, which
 * costs each start up to 70 ms and some megabytes.
 */
export const STATUS_TEXTS = process.getBuiltinModule('node:http').STATUS_CODES
