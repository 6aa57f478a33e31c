import { limitsPage } from './limits/page.js'

/** Prints docs/limits.md. */
console.log(limitsPage())
