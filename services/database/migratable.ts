import type { Database } from './database.js'

/** Runs the text of migrations: no parameters, no time limit, and {@link ScriptRunner.script} takes several statements. */
export interface ScriptRunner {
  query(text: string): Promise<object[]>
  script(text: string): Promise<void>
}

/** What only migrations need from a database. */
export interface MigratableDatabase extends Database {
  /**
   * Runs `work` in one transaction that no other process runs at the same time: the lock ends with the
   * transaction, so it works through a transaction pooler and a killed migrator leaves no lock behind.
   * @param onWait told every few seconds who has the lock
   * @throws CanNotStartError when that takes too long
   */
  exclusively<T>(work: (runner: ScriptRunner) => Promise<T>, onWait?: (holder: string) => void): Promise<T>
}
