import { createRailwayContext, project } from 'railway/iac'
import railway from './railway.js'

/** What railway.ts describes for an environment, for the test that compares it with railway.json. */
export async function resourcesIn(environment: string): Promise<unknown[]> {
  const { resources = [] } = await railway(createRailwayContext({ environment }), project)
  return resources.flat()
}
