/** A store as the benchmark sees it. Values are objects. */
export interface Store {
  /** Resolves once the write is as durable as the level says. */
  write(key: string, value: object): Promise<unknown>;
  /** Writes all of them or none. */
  writeBatch(entries: [key: string, value: object][]): Promise<unknown>;
  /** To be awaited; a store that reads synchronously returns the value itself. */
  get(key: string): Promise<object | undefined> | object | undefined;
  getSync(key: string): object | undefined;
  delete(key: string): Promise<unknown>;
  /** Calls `visit` for every record, in the fastest way that the store has. */
  scan(visit: (key: string, value: object) => void): Promise<void>;
  /** Resolves once everything is on disk. */
  flush(): Promise<unknown>;
  close(): Promise<unknown>;
}

/**
 * What a module of this folder exports as `open`. Level `os`: what is
 * acknowledged survives the death of the process. Level `full`: it survives a power cut.
 */
export type Open = (directory: string, level: 'os' | 'full') => Promise<Store>;
