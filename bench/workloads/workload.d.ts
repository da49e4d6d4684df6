import type { Settings, Store } from '../stores/store.d.ts';

export type Unit = 'operations per second' | 'milliseconds' | 'bytes';

/** What a run may leave behind: which records, and how often each was overwritten at most. */
export interface Contents {
  count: number;
  has(n: number): boolean;
  generation(n: number): number;
}

/** Where a workload runs: a directory with no store, or with a closed one that holds all records. */
export interface Arena {
  directory: string;
  open(settings?: Partial<Settings>): Promise<Store>;
  /** How many records there are. */
  records: number;
  values: ReturnType<typeof import('../values.mjs').valuesOf>;
  /** For how long to measure. */
  seconds: number;
  /** Runs so many worker threads on the store, each with a part of the work, and resolves to what each did. */
  threads(work: string, count: number): Promise<{ done: number; rate: number }[]>;
}

export interface Workload {
  id: string;
  theme: string;
  title: string;
  unit: Unit;
  level: 'os' | 'full';
  /** `empty`: no store; `loaded`: one with all records, which stay as they are; `copy`: the same, to be changed. */
  start: 'empty' | 'loaded' | 'copy';
  /** The smallest run that it belongs to. */
  set: 'quick' | 'default' | 'full';
  /** The sizes of values that it is measured with unless one is asked for; 95 B only without this. */
  sizes?: string[];
  /** The number of records that the default run measures it with, if not that of the others. */
  records?: number;
  /** Only for stores that have this. */
  needs?: 'getSync' | 'range' | 'threads';
  /** False where the first time is what counts, or where it warms up what it measures. */
  warmUp?: boolean;
  measure(arena: Arena): Promise<{ figure: number; after?: Contents; verify?: (store: Store) => Promise<void> }>;
}
