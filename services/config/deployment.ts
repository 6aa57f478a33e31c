import { readFileSync } from 'node:fs'

/**
 * What a platform tells its deployments. Not what a person sets beside it (RAILWAY_TOKEN of the command line,
 * RAILWAY_DEPLOYMENT_DRAINING_SECONDS).
 */
const PLATFORM_VARIABLES =
  /^(?:RAILWAY_(?:PROJECT|ENVIRONMENT|SERVICE|SNAPSHOT|REPLICA|DEPLOYMENT_ID|PUBLIC_DOMAIN|PRIVATE_DOMAIN|GIT_).*|KUBERNETES_SERVICE_HOST|ECS_CONTAINER_METADATA_URI(?:_V4)?|K_SERVICE|FLY_APP_NAME|DYNO)$/

/** What starts a service in a container. */
const STARTERS =
  /^(?:node.*|npm.*|npx.*|yarn.*|pnpm.*|MainThread|sh|ash|dash|bash|tini|dumb-init|docker-init|catatonit)$/

/** More than any way from a container's first process to its service. */
const MOST_ANCESTORS = 16

/** What says that this is a deployment although NODE_ENV says nothing; `undefined`: nothing does. */
export function platformSign(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const name = Object.keys(env).find((key) => PLATFORM_VARIABLES.test(key) && env[key]?.trim() !== '')
  return name && `${name} is set`
}

/**
 * Was the container that this process is in made to run it: is it process 1, or did only shells, npm and inits come between? A
 * person at work in a container, a development container and a job of CI are started from outside, past process 1, or from a
 * program that is none of these.
 */
export function containerSign(): string | undefined {
  return isContainersCommand(process.pid) ? 'process 1 of this container does nothing but run it' : undefined
}

function isContainersCommand(own: number): boolean {
  let pid = own
  for (let count = 0; count < MOST_ANCESTORS; count++) {
    if (pid === 1) return true
    const parent = parentOf(pid)
    if (parent === undefined || !STARTERS.test(nameOf(parent))) return false
    pid = parent
  }
  return false
}

/** Field 4 of /proc/<pid>/stat, after a name that may hold spaces and parentheses; 0 for who was started from outside. */
function parentOf(pid: number): number | undefined {
  const stat = readOrUndefined(`/proc/${pid}/stat`)
  const parent = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  return parent > 0 ? parent : undefined
}

function nameOf(pid: number): string {
  return readOrUndefined(`/proc/${pid}/comm`)?.trim() ?? ''
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
