import { ResourceService, type ServiceDependencies } from '../resource/service.js'
import { designs } from './definition.js'

/** Designs of users. */
export class DesignService extends ResourceService<typeof designs.schemas> {
  static readonly definition = designs

  constructor(dependencies: ServiceDependencies) {
    super(dependencies, designs)
  }
}
