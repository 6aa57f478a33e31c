import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { build, type Image, isRoot, runIn } from './build.js'
import { filesBelow, ignoreRules } from './context.js'
import { inspect, SECRET } from './contents.js'
import { parseDockerfile } from './dockerfile.js'
import { nodeOf } from './node-of.js'

const ROOT = join(import.meta.dirname, '../..')
const NODE = `node:${process.versions.node.split('.')[0]}-slim`

function folderWith(t: Test, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'rh-context-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}

/** Follows a Dockerfile whose packages are none. */
async function built(t: Test, dockerfile: string, files: Readonly<Record<string, string>>, dockerignore = '') {
  const scratch = folderWith(t, {})
  const binOf = async (image: string): Promise<string> => nodeOf(image, scratch)
  const stages = parseDockerfile(dockerfile)
  const image = await build({ stages, context: folderWith(t, files), dockerignore, scratch, binOf })
  return { image, scratch, read: (name: string) => readFileSync(join(image.root, name), 'utf8') }
}

t.test('our Dockerfile is understood whole', async (t) => {
  const stages = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))
  t.equal(stages.length, 3)
  t.match(stages.at(-1)?.steps.at(-1), { kind: 'cmd', command: ['node', 'dist/server.js'] })
})

t.test('what is not known is an error with its line, never passed over', async (t) => {
  for (const line of [
    'ADD a b',
    'ARG VERSION=1',
    'VOLUME /data',
    'ONBUILD RUN x',
    'SHELL ["/bin/bash"]',
    'FOO bar',
    'COPY --chown=node:node a b',
    'COPY a*.json ./',
    'RUN --mount=type=cache,target=/x npm ci',
    'RUN <<EOF\nls\nEOF',
    'ENV A=$B',
    'WORKDIR $HOME',
    'USER ${WHO}',
  ]) {
    t.throws(() => parseDockerfile(`FROM ${NODE}\n${line}\n`), /line 2: no meaning is known here/, line)
  }
  t.throws(() => parseDockerfile('FROM --platform=linux/arm64 node:24'), /line 1/)
  t.throws(() => parseDockerfile('# nothing'), /no FROM/)
  t.throws(() => nodeOf('debian:13', tmpdir()), /only images like node:24-slim/)
})

t.test('.dockerignore by Docker’s rules', async (t) => {
  const isIgnored = ignoreRules('# no comment\n.env\n.env.*\n/dist/\n*.log\n**/secret\ndocs/**/*.png\n!keep.log\na?c\n')
  const ignored = [
    '.env',
    '.env.local',
    'dist/a/b.js',
    'x.log',
    'secret',
    'deep/er/secret',
    'secret/x',
    'docs/a/b.png',
    'docs/c.png',
    'abc/d',
  ]
  const kept = ['env', 'sub/.env', 'distant', 'sub/x.log', 'keep.log', 'secrets', 'docs/c.svg', 'abbc']
  for (const path of ignored) t.ok(isIgnored(path), path)
  for (const path of kept) t.notOk(isIgnored(path), path)
})

t.test('stages, copies, variables and users come out as Docker makes them', async (t) => {
  const dockerfile = `
    FROM ${NODE} AS one
    WORKDIR /app
    COPY . .
    ENV GREETING="hello there" \\
        SECOND=2
    RUN printf %s "$GREETING" > said && \\
        mkdir out && echo built > out/file
    FROM one AS two
    COPY sub/deep ./flat/
    FROM ${NODE}
    WORKDIR /srv
    COPY --from=one /app/out ./out
    COPY --from=two /app/flat/x /app/said ./
    COPY package.json renamed.json
    RUN mkdir own && chown node:node own
    USER node
    HEALTHCHECK --interval=9s CMD ["node", "-e", "process.exit(3)"]
    CMD ["node", "-p", "[process.env.SECOND, process.getuid()].join()"]`.replaceAll('\n    ', '\n')
  const files = { 'package.json': '{}', 'sub/deep/x': 'x', 'left/out': '', '.env': SECRET }
  const { image, scratch, read } = await built(t, dockerfile, files, '.env\nleft')
  t.same(filesBelow(image.root).toSorted(), ['srv/out/file', 'srv/renamed.json', 'srv/said', 'srv/x'])
  t.equal(read('srv/said'), 'hello there')
  t.notOk(existsSync(join(scratch, 'stage-0/app/left')))
  t.notOk(existsSync(join(scratch, 'stage-0/app/.env')))
  const ran = await runIn(image, scratch, image.command)
  t.equal(ran.output.trim(), isRoot ? ',1000' : `,${process.getuid?.()}`, 'a stage has no variables of another')
  t.equal((await runIn(image, scratch, image.healthcheck ?? [])).code, 3)
  const own = await runIn(image, scratch, ['/bin/sh', '-c', 'touch own/a && ! touch out/b'])
  t.equal(own.code, isRoot ? 0 : 1, own.output)
})

t.test('what fails says why', async (t) => {
  const lines: [string, RegExp][] = [
    ['RUN echo so && exit 4', /ended with 4:\nso/],
    ['RUN cp /etc/passwd .', /an absolute path is this machine's/],
    ['COPY --from=none /x .', /no such stage/],
    ['COPY hidden .', /.dockerignore keeps it out/],
    ['COPY nowhere .', /ENOENT/],
    ['USER nobody-here', /no such user/],
    ['ENTRYPOINT ["node"]', /not followed here/],
  ]
  for (const [line, expected] of lines) {
    await t.rejects(
      built(t, `FROM ${NODE}\nWORKDIR /app\n${line}`, { hidden: '' }, 'hidden'),
      { message: expected },
      line,
    )
  }
})

t.test('secrets, sources, dev dependencies and missing imports are found', async (t) => {
  const root = folderWith(t, {
    'app/dist/server.js': `import { a } from 'a';\nimport { b } from './b.js';\nconst c = await import('c');\n// import('d')\n`,
    'app/dist/page.ts': '',
    'app/.env.local': '',
    'app/dist/deep/key': `x${SECRET}`,
    'app/node_modules/a/package.json': '{"main":"a.js"}',
    'app/node_modules/a/a.js': '',
    'app/node_modules/@dev/tool/package.json': '{}',
    'app/node_modules/stray/package.json': '{}',
    'app/dist/node_modules/a/package.json': '{}',
    'app/dist/node_modules/folded/package.json': '{}',
  })
  const lock = {
    packages: {
      '': {},
      'node_modules/a': {},
      'node_modules/@dev/tool': { dev: true },
      'node_modules/gone': {},
      'node_modules/mac': { optional: true },
    },
  }
  const image: Image = { root, workdir: '/app', env: {}, user: 'node', command: [], healthcheck: undefined, bin: '' }
  const { flaws, packages } = inspect(image, JSON.stringify(lock))
  t.equal(packages, 4)
  t.same(flaws, [
    'app/dist/deep/key holds a secret of the working copy',
    ...['.env.local', 'dist/page.ts'].map((path) => `${path} is only for development`),
    'node_modules/@dev/tool is a dev dependency',
    'node_modules/gone is missing',
    'node_modules/folded is not in the lock file',
    'node_modules/stray is not in the lock file',
    'dist/server.js imports ./b.js, which is not there',
    'dist/server.js imports c, which is not there',
  ])
})
