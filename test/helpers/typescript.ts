/** What a test gives to a Node that it starts on a file of TypeScript. */
export const TYPESCRIPT = `--import=${new URL('../typescript.js', import.meta.url).href}`
