import { DesignService } from './designs/service.js'
import { MockupService } from './mockups/service.js'
import type { ResourceDefinition, ResourceSchemas } from './resource/definition.js'
import type { ResourceService, ServiceDependencies } from './resource/service.js'
import { TemplateService } from './templates/service.js'

/** The service of a resource, with its definition. */
interface Domain {
  readonly definition: ResourceDefinition
  new (dependencies: ServiceDependencies): ResourceService<ResourceSchemas>
}

/**
 * Every resource. What a row refers to stands before it: this is the order in which writers lock rows of several tables, and
 * the one in which an import writes them.
 */
export const domains = [TemplateService, DesignService, MockupService] as const satisfies readonly Domain[]

export const resources: readonly ResourceDefinition[] = domains.map(({ definition }) => definition)
