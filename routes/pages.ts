import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'

export interface PageOptions {
  /** Whether the page only ever makes elements, and no HTML of texts. */
  readonly hasTrustedTypes: boolean
}

/**
 * The headers of pages, for every answer of this scope: a page asks this host alone, and runs and shows nothing that it did not get
 * from it as a file.
 */
export async function pageScope(scope: FastifyInstance, { hasTrustedTypes }: PageOptions): Promise<void> {
  await scope.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: [`'none'`],
        scriptSrc: [`'self'`],
        styleSrc: [`'self'`],
        imgSrc: [`'self'`, 'data:'],
        connectSrc: [`'self'`],
        baseUri: [`'none'`],
        formAction: [`'none'`],
        frameAncestors: [`'none'`],
        ...(hasTrustedTypes && { requireTrustedTypesFor: [`'script'`] }),
      },
    },
    xFrameOptions: { action: 'deny' },
    // What ends TLS knows whether everything of its host is asked by HTTPS; this service does not.
    strictTransportSecurity: false,
    // For browsers that nobody has any more.
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
  })
}
