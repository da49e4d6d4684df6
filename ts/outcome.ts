/**
 * What became of operations that were submitted: the result of each, or the error that says why it was not done.
 *
 * @module
 */
import { CairnError } from './errors.ts';
import type { Outcomes } from './native.ts';
import type { Operation } from './operation.ts';
import type { Group } from './session.ts';

/** The outcome of an operation that has written version 1. */
export const WRITTEN = 1;
/** The outcome of a delete that has found a record. */
const DELETED = -1;
const HIGHEST_CONFLICT = -3;

/**
 * The outcome of `operation` at `index` of `group`, which is done. Called in the async function that the user waits for,
 * so that an error has the user's stack.
 */
export function outcomeOf(group: Group, index: number, operation: Operation): number {
  const outcome = group.outcomeAt(index);
  if (outcome <= HIGHEST_CONFLICT) throw conflict(operation, HIGHEST_CONFLICT - outcome);
  return outcome;
}

/** Resolves to true once `operation`, the one at `index` of `group`, is done. */
export async function written(group: Group, index: number, operation: Operation): Promise<true> {
  await group.done;
  outcomeOf(group, index, operation);
  return true;
}

/**
 * Whether a group that is done has written or deleted anything, so that it moved the counter of changes. If it has not, what
 * moved the counter meanwhile was another thread.
 */
export function hasChanged(outcomes: Outcomes | null): boolean {
  return outcomes === null || outcomes.some((outcome) => outcome >= WRITTEN || outcome === DELETED);
}

/** Whether the operation at `index` of `group`, which is done, met another version than its `ifVersion`. */
export function isConflict(group: Group, index: number): boolean {
  return group.outcomeAt(index) <= HIGHEST_CONFLICT;
}

/** Throws if the batch that begins at `first` was not done; without operations, if nothing of the group was. */
export function checkBatch(group: Group, first: number, operations: readonly Operation[]): void {
  group.check();
  for (const [index, operation] of operations.entries()) {
    const outcome = group.outcomeAt(first + index);
    if (outcome > HIGHEST_CONFLICT) continue;
    throw conflict(
      operation,
      HIGHEST_CONFLICT - outcome,
      `Operation ${index} of the batch, and so none of it, was done: `,
    );
  }
}

function conflict({ table, key, ifVersion }: Operation, actualVersion: number, prefix = ''): CairnError {
  const place = `${JSON.stringify(key)} in table ${JSON.stringify(table)}`;
  const actual = actualVersion === 0 ? 'does not exist' : `has version ${actualVersion}`;
  const message = `${prefix}${place} ${actual}, but ifVersion was ${ifVersion}. Read it again, and decide anew.`;
  return new CairnError('ERR_CAIRN_CONFLICT', message, { actualVersion });
}
