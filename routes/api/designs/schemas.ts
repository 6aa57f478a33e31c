import { Design, DesignChange, DesignQuery, NewDesign } from '../../../services/designs/schema.js'

export const schemas = { item: Design, creation: NewDesign, change: DesignChange, query: DesignQuery }
