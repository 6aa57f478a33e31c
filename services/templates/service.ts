import { tags, templateEntry, templateListEntry } from '../cache-map.js'
import type { Serialize } from '../catalogue/documents.js'
import type { Domain } from '../catalogue/domain.js'
import { OwnedRowService, type Foundation } from '../catalogue/owned-row-service.js'
import { NotFoundError, TemplateInUseError } from '../errors.js'
import { ownerOfTemplate, templateTable, toColumns, toItem, type TemplateRow } from './repository.js'
import type { NewTemplate, Template, TemplateChange } from './schema.js'

const templates: Domain<TemplateChange, TemplateRow, Template> = {
  kind: 'template',
  table: templateTable,
  entry: templateEntry,
  listEntry: templateListEntry,
  tag: tags.template,
  listTag: tags.templates,
  naturalKey: 'name',
  references: [],
  dependents: [
    { table: 'designs', column: 'template_ids', isList: true, onDelete: 'forget' },
    { table: 'mockups', column: 'template_id', isList: false, onDelete: 'refuse' },
  ],
  inUse: (mockupIds) => new TemplateInUseError(mockupIds.join(', ')),
  toColumns,
  toItem,
}

/**
 * Templates of users. Deleting one takes it out of the designs that name it, and is refused with
 * TemplateInUseError while mockups are made from it.
 */
export class TemplateService extends OwnedRowService<NewTemplate, TemplateChange, TemplateRow, Template> {
  readonly #foundation: Foundation

  constructor(foundation: Foundation, serialize: Serialize<Template>) {
    super(foundation, templates, serialize)
    this.#foundation = foundation
  }

  /**
   * Clears the template, the lists it is in, and what is made from it (which carries the template's tag), on every replica.
   * @param userId whose template it must be; `undefined`: anybody's
   * @returns the tags that were raised
   * @throws NotFoundError
   */
  async clear(id: string, userId: string | undefined): Promise<readonly string[]> {
    const { database, cache } = this.#foundation
    const ownerId = await ownerOfTemplate(database, id)
    if (ownerId === undefined || (userId !== undefined && userId !== ownerId)) throw new NotFoundError('template')
    const cleared = [tags.template(ownerId, id.toLowerCase()), tags.templates(ownerId)]
    await cache.invalidate(cleared)
    return cleared
  }
}
