import { Template, TemplateChange, TemplateQuery, NewTemplate } from '../../../services/templates/schema.js'

export const schemas = { item: Template, creation: NewTemplate, change: TemplateChange, query: TemplateQuery }
