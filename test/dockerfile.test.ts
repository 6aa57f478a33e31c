import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const root = join(import.meta.dirname, '..')
const text = readFileSync(join(root, 'Dockerfile'), 'utf8')
const instructions = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
const lastStage = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')))

t.test('node is process 1, in exec form, and not root', async (t) => {
  t.equal(instructions.at(-1), 'CMD ["node", "dist/server.js"]')
  t.equal(instructions.at(-2), 'USER node')
  t.notMatch(text, /^ENTRYPOINT/m)
})

t.test('nothing in it is refused or misread by Railway', async (t) => {
  t.notMatch(text, '--mount=type=cache')
  t.notMatch(text, /^VOLUME/m)
  t.notMatch(text, /^(?:ENV|ARG) .*PORT/m)
})

t.test('the image has production packages and the build, no sources', async (t) => {
  t.ok(lastStage.includes('ENV NODE_ENV=production'))
  const copied = lastStage.filter((line) => line.startsWith('COPY'))
  t.same(copied, [
    'COPY package.json ./',
    'COPY --from=dependencies /app/node_modules ./node_modules',
    'COPY --from=build /app/dist ./dist',
  ])
  t.match(text, /^RUN npm ci --omit=dev$/m)
})

t.test('secrets and local data stay out of the build', async (t) => {
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')
  for (const name of ['.env', '.git', '.data', 'node_modules', 'dist']) t.ok(ignored.includes(name), name)
})
