import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { temporaryDirectory } from './servers.js'

export interface Certificates {
  /** Of an authority that no system knows: for NODE_EXTRA_CA_CERTS. */
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** A certificate of an authority of its own for one DNS name, and for no address. */
export function certificateFor(name: string): Certificates {
  const directory = temporaryDirectory()
  const at = (file: string): string => join(directory, file)
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' })
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl('req', '-x509', ...curve, '-days', '2', '-subj', '/CN=an authority', '-keyout', 'ca.key', '-out', 'ca.crt')
  openssl('req', ...curve, '-subj', `/CN=${name}`, '-keyout', 'server.key', '-out', 'server.csr')
  writeFileSync(at('names'), `subjectAltName=DNS:${name}`)
  const authority = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial']
  openssl('x509', '-req', '-in', 'server.csr', ...authority, '-days', '2', '-extfile', 'names', '-out', 'server.crt')
  return { ca: at('ca.crt'), cert: at('server.crt'), key: at('server.key') }
}

/** What makes `redis-server` speak TLS on a port, and ask no client for a certificate. */
export function tlsArguments({ ca, cert, key }: Certificates, port: number): string[] {
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca]
  return ['--tls-port', String(port), ...files, '--tls-auth-clients', 'no']
}
