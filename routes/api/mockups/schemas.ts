import { Mockup, MockupChange, MockupQuery, NewMockup } from '../../../services/mockups/schema.js'

export const schemas = { item: Mockup, creation: NewMockup, change: MockupChange, query: MockupQuery }
