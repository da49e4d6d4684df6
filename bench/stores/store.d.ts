export type Value = object | Buffer;

/** What reads and writes single records. */
export interface Records {
  /** Resolves, or returns, once the write is as durable as the level says. */
  write(key: string, value: Value): Promise<unknown> | unknown;
  /** To be awaited; a store that reads synchronously returns the value itself. */
  get(key: string): Promise<Value | undefined> | Value | undefined;
  /** Missing where a store has none. */
  getSync?(key: string): Value | undefined;
}

/** A store as the benchmark sees it. */
export interface Store extends Records {
  /** Writes all of them or none. */
  writeBatch(entries: [key: string, value: Value][]): Promise<unknown> | unknown;
  delete(key: string): Promise<unknown> | unknown;
  /** Calls `visit` for every record, in the fastest way that the store has. */
  scan(visit: (key: string, value: Value) => void): Promise<void>;
  /** Calls `visit` for the first `limit` records from `start` on. Missing where a store has no order. */
  range?(start: string, limit: number, visit: (key: string, value: Value) => void): Promise<void>;
  /** The records of one of many tables, in what the store has of that kind. */
  table(name: string): Records;
  /** Gives back the space of what was overwritten. Missing where a store has no call for that. */
  compact?(): Promise<unknown> | unknown;
  /** Resolves once everything is on disk. */
  flush(): Promise<unknown> | unknown;
  close(): Promise<unknown> | unknown;
}

export interface Settings {
  /** `os`: what is acknowledged survives the death of the process. `full`: it survives a power cut. */
  level: 'os' | 'full';
  kind: 'object' | 'buffer';
  /** How large a value is. */
  bytes: number;
  /** The mode that the catalog names, of a store that is measured in several. */
  mode?: string;
  /** Whether several worker threads open the store. */
  threads: boolean;
  /** The module to load, of a package that is not among the devDependencies. */
  module?: string;
}

/** What a module of this folder exports as `open`. */
export type Open = (directory: string, settings: Settings) => Promise<Store>;
