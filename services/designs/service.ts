import { designEntry, designListEntry, tags } from '../cache-map.js'
import type { Serialize } from '../catalogue/documents.js'
import type { Domain } from '../catalogue/domain.js'
import { OwnedRowService, type Foundation } from '../catalogue/owned-row-service.js'
import { designTable, toColumns, toItem, type DesignRow } from './repository.js'
import type { Design, DesignChange, NewDesign } from './schema.js'

const designs: Domain<DesignChange, DesignRow, Design> = {
  kind: 'design',
  table: designTable,
  entry: designEntry,
  listEntry: designListEntry,
  tag: tags.design,
  listTag: tags.designs,
  naturalKey: 'filename',
  references: [{ column: 'template_ids', table: 'templates', tag: tags.template }],
  dependents: [{ table: 'mockups', column: 'design_id', isList: false, onDelete: 'forget' }],
  toColumns,
  toItem,
}

/** Designs of users. They name templates of the same user; mockups that show a deleted design lose it. */
export class DesignService extends OwnedRowService<NewDesign, DesignChange, DesignRow, Design> {
  constructor(foundation: Foundation, serialize: Serialize<Design>) {
    super(foundation, designs, serialize)
  }
}
