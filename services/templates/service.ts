import { NotFoundError } from '../errors.js'
import { EVERYTHING } from '../cache/index.js'
import { listTag, ownerTag, rowTag } from '../resource/addresses.js'
import { ResourceService, type ServiceDependencies } from '../resource/service.js'
import { templates } from './definition.js'
import { ownerOfTemplate } from './repository.js'

/** Templates of users. */
export class TemplateService extends ResourceService<typeof templates.schemas> {
  static readonly definition = templates
  readonly #dependencies: ServiceDependencies

  constructor(dependencies: ServiceDependencies) {
    super(dependencies, templates)
    this.#dependencies = dependencies
  }

  /**
   * Clears the template, the lists it is in, and what is made from it (which carries the template's tag), on every replica.
   * @param userId whose template it must be; `undefined`: anybody's
   * @returns the tags that were raised
   * @throws NotFoundError
   */
  async clear(id: string, userId: string | undefined): Promise<readonly string[]> {
    const { database, cache } = this.#dependencies
    const ownerId = await ownerOfTemplate(database, id)
    if (ownerId === undefined || (userId !== undefined && userId !== ownerId)) {
      // Whose it was is not known to an administrator who asks.
      cache.doubt([userId === undefined ? EVERYTHING : ownerTag(userId)])
      throw new NotFoundError('template')
    }
    const cleared = [rowTag(templates.name, ownerId, id.toLowerCase()), listTag(templates.name, ownerId)]
    await cache.invalidate(cleared)
    return cleared
  }
}
