/** `new Date()` and `Date()` read the clock; `new Date(value)` only converts. Oxlint has no rule that tells them apart. */
const noReading = {
  create(context) {
    function check(node) {
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'Date') return
      if (node.type === 'NewExpression' && node.arguments.length > 0) return
      context.report({ node, message: 'The clock is read in services/cache/clock.ts only: take it as an argument.' })
    }
    return { NewExpression: check, CallExpression: check }
  },
}

export default { meta: { name: 'clock' }, rules: { 'no-reading': noReading } }
