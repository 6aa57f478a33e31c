import { ResourceService, type ServiceDependencies } from '../resource/service.js'
import { mockups } from './definition.js'

/** Mockups of users. */
export class MockupService extends ResourceService<typeof mockups.schemas> {
  static readonly definition = mockups

  constructor(dependencies: ServiceDependencies) {
    super(dependencies, mockups)
  }
}
