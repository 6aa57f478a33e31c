/**
 * Rules of the protocol that live outside the pure core: in SQL, or in the read path. Each can be switched off in the model;
 * `mutants.ts` says which code and which test stands behind it.
 */
export type Fault =
  // SQL: tail, marks, prune, identity
  | 'cursor is an xmax'
  | 'cursor is an xmin'
  | 'cursor not compared with pruned'
  | 'identity not compared by a tail'
  | 'tail in two statements'
  | 'any mark'
  | 'pruned without xip'
  | 'pruned goes down'
  | 'rows deleted before pruned is committed'
  | 'rows deleted by time'
  | 'rows deleted below an xmax'
  | 'crash unnoticed'
  // The read and the write path
  | 'tail told of when it ends'
  | 'late tail taken'
  | 'provenance of the end of a load'
  | 'kept without judging'
  | 'renewed without judging'
  | 'joined without judging'
  | 'joiners answered without judging'
  | 'found tags not looked up in hints'
  | 'flight crosses an identity'
  | 'GET crosses an identity'
  | 'GET judged when it begins'
  | 'hints not asked'
  | 'any tail answers a hint'
  | 'own write gives no hint'
  | 'announcement believed'
