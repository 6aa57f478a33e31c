import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Fault } from './fault.js'

interface Place {
  readonly host: string
  readonly port: number
}

/** Why nothing can listen there, found by doing it for a moment; none when it can. */
export async function listeningFaults({ host, port }: Place): Promise<Fault[]> {
  try {
    await listenAndClose({ host, port })
    return []
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    // A machine without IPv6 has no `::`; all of its IPv4 addresses are what was meant.
    if (host === '::' && isWithoutIpv6(error)) return listeningFaults({ host: '0.0.0.0', port })
    return [faultOf(code, port)]
  }
}

/** `::` can not be listened on, for there is no IPv6. */
export function isWithoutIpv6(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(String(error.code))
}

async function listenAndClose(place: Place): Promise<void> {
  const server = createServer()
  server.listen(place)
  await once(server, 'listening')
  server.close()
  await once(server, 'close')
}

function faultOf(code: string, port: number): Fault {
  switch (code) {
    case 'EADDRINUSE':
      return {
        variable: 'PORT',
        message: `${port} is in use: stop the process that has it, or set PORT to a free one`,
        isTaken: true,
      }
    case 'EACCES':
      return { variable: 'PORT', message: `${port} is not open to this user: set PORT to one above 1023` }
    default:
      return {
        variable: 'HOST',
        message: `is no address of this machine (${code}): set it to one that is, or remove the variable`,
      }
  }
}
