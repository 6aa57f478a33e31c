/** The field that names by external_id what a column names by id: `template_external_id`, `template_external_ids`. */
export function externalField(column: string): string {
  const [, stem = column, ending = '_id'] = /^(.*)(_ids?)$/.exec(column) ?? []
  return `${stem}_external${ending}`
}
