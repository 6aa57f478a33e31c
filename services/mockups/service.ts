import { mockupEntry, mockupListEntry, tags } from '../cache-map.js'
import type { Serialize } from '../catalogue/documents.js'
import type { Domain } from '../catalogue/domain.js'
import { OwnedRowService, type Foundation } from '../catalogue/owned-row-service.js'
import { mockupTable, toColumns, toItem, type MockupRow } from './repository.js'
import type { Mockup, MockupChange, NewMockup } from './schema.js'

const mockups: Domain<MockupChange, MockupRow, Mockup> = {
  kind: 'mockup',
  table: mockupTable,
  entry: mockupEntry,
  listEntry: mockupListEntry,
  tag: tags.mockup,
  listTag: tags.mockups,
  references: [
    { column: 'template_id', table: 'templates', tag: tags.template },
    { column: 'design_id', table: 'designs', tag: tags.design },
  ],
  dependents: [],
  toColumns,
  toItem,
}

/** Mockups of users: a template of the same user, and perhaps a design of theirs shown on it. */
export class MockupService extends OwnedRowService<NewMockup, MockupChange, MockupRow, Mockup> {
  constructor(foundation: Foundation, serialize: Serialize<Mockup>) {
    super(foundation, mockups, serialize)
  }
}
