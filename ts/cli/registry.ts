/**
 * Where each command is: its module is loaded only when it runs.
 *
 * @module
 */
import type { Run } from './command.ts';

type Loader = () => Promise<{ readonly run: Run }>;

export const loaders: Readonly<Record<string, Loader>> = {
  backup: () => import('./commands/backup.ts'),
  bench: () => import('./commands/bench.ts'),
  compact: () => import('./commands/compact.ts'),
  completions: () => import('./commands/completions.ts'),
  count: () => import('./commands/count.ts'),
  del: () => import('./commands/del.ts'),
  export: () => import('./commands/export.ts'),
  get: () => import('./commands/get.ts'),
  help: () => import('./commands/help.ts'),
  import: () => import('./commands/import.ts'),
  keys: () => import('./commands/keys.ts'),
  list: () => import('./commands/list.ts'),
  ls: () => import('./commands/ls.ts'),
  prune: () => import('./commands/prune.ts'),
  repair: () => import('./commands/repair.ts'),
  restore: () => import('./commands/restore.ts'),
  set: () => import('./commands/set.ts'),
  stats: () => import('./commands/stats.ts'),
  tables: () => import('./commands/tables.ts'),
  verify: () => import('./commands/verify.ts'),
  watch: () => import('./commands/watch.ts'),
};
