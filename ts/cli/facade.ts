/**
 * What the commands ask of the package that is younger than they are.
 *
 * @module
 */
import type { CairnDB } from '../database.ts';
import type { RepairReport, VerifyReport } from '../reports.ts';

interface Work {
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly signal?: AbortSignal;
}

export interface Copied {
  readonly tables: number;
  readonly records: number;
  readonly bytes: number;
}

export interface Pruned {
  readonly generations: number;
  readonly files: number;
  readonly bytes: number;
}

export type Change =
  | {
      readonly type: 'put' | 'delete';
      readonly table: string;
      readonly key: string;
      readonly value?: unknown;
      readonly version: number;
      readonly timestamp: number;
      readonly expiration: number | null;
    }
  | { readonly type: 'deleteTable'; readonly table: string };

export interface Younger {
  verify(work: Work): Promise<VerifyReport>;
  compact(work: Work): Promise<void>;
  backup(target: string, work: Work): Promise<Copied>;
  prune(terms: { readonly keep: number }): Promise<Pruned>;
}

export interface YoungerStatics {
  repair(source: string, target: string, work: Work): Promise<RepairReport>;
  restore(source: string, target: string, work: Work): Promise<Copied>;
  watch(directory: string, work: Pick<Work, 'signal'>): AsyncGenerator<Change>;
}

export const younger = (db: CairnDB): Younger => db as unknown as Younger;

export async function statics(): Promise<YoungerStatics> {
  const { CairnDB } = await import('../database.ts');
  return CairnDB as unknown as YoungerStatics;
}
