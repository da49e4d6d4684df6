/**
 * The stores that are compared. Here and not in their modules, which cannot be loaded without their packages.
 *
 * @typedef {object} Entry
 * @property {string} label
 * @property {string} module its file in this folder
 * @property {string} [mode] which of the modes of the module
 * @property {'subject' | 'variant' | 'database' | 'bound'} role `variant`: another mode of CairnDB; `bound`: no database,
 * but what a store cannot do better than
 * @property {string} how its mode, and where that is documented
 * @property {{ os?: string, full: string }} durability what an acknowledged write survives at each level
 * @property {boolean} quick whether the quick run measures it too
 * @property {string[]} [themes] those that it takes part in; without it all
 * @property {string[]} [workloads] the only ones that it takes part in
 * @property {string[]} [lacks] what workloads may need and it has not: `getSync`, `range`, `threads`
 * @property {boolean} [keepsNothing] whether there is nothing in it to be verified
 * @property {{ package: string, version: string, binary: string }} [install] what is installed on first use
 * @property {string} [node] the oldest Node.js that has it; an older one measures it with a Node.js installed on first use
 */

const LMDB_DURABILITY = {
  os: 'acknowledged once committed, synced soon after (its default)',
  full: '`overlappingSync: false`, acknowledged after a commit that syncs, which concurrent writes share',
};

const SQLITE_DURABILITY = {
  os: '`synchronous = NORMAL`, acknowledged once the operating system has it',
  full: '`synchronous = FULL`, acknowledged after a sync of its own',
};

/** Modes that differ in how they read are measured where reads are. */
const READING = ['reads', 'ycsb', 'memory'];

/** @type {Record<string, Entry>} */
export const stores = {
  cairndb: {
    label: 'CairnDB',
    module: 'cairndb',
    role: 'subject',
    how: 'the defaults',
    durability: {
      os: 'level `os`, acknowledged once the operating system has it, synced within a second',
      full: 'level `full`, acknowledged after `fdatasync`, which concurrent writes share',
    },
    quick: true,
  },
  'cairndb-cache': {
    label: 'CairnDB, object cache',
    module: 'cairndb',
    mode: 'cache',
    role: 'variant',
    how: '`objectCache` for more values than there are',
    durability: { os: 'as CairnDB', full: 'as CairnDB' },
    quick: true,
    themes: READING,
  },
  'lmdb-shared': {
    label: 'lmdb, shared structures',
    module: 'lmdb',
    mode: 'shared',
    role: 'database',
    how: '`sharedStructuresKey`, its fastest encoding for objects; `binary` for Buffers; keys `[table, key]` for tables',
    durability: LMDB_DURABILITY,
    quick: true,
  },
  lmdb: {
    label: 'lmdb',
    module: 'lmdb',
    mode: 'default',
    role: 'database',
    how: 'the defaults: MessagePack',
    durability: LMDB_DURABILITY,
    quick: false,
  },
  'lmdb-cache': {
    label: 'lmdb, cache',
    module: 'lmdb',
    mode: 'cache',
    role: 'database',
    how: '`cache: true` and `sharedStructuresKey`; returns the object that it keeps, not a copy',
    durability: LMDB_DURABILITY,
    quick: false,
  },
  'classic-level': {
    label: 'classic-level',
    module: 'classic-level',
    role: 'database',
    how: 'the defaults (Snappy compression), `json` or `buffer` encoding, `nextv` to iterate, `multithreading` for threads',
    durability: {
      os: '`sync: false`, acknowledged once the operating system has it (its default)',
      full: '`sync: true`, acknowledged after a sync',
    },
    quick: true,
  },
  'better-sqlite3': {
    label: 'better-sqlite3',
    module: 'better-sqlite3',
    role: 'database',
    how: 'better-sqlite3 13.2.0, WAL, prepared statements, JSON text or BLOB; synchronous, so each write outside of a batch is a transaction',
    durability: SQLITE_DURABILITY,
    quick: true,
    install: { package: 'better-sqlite3', version: '13.2.0', binary: 'lib/index.js' },
    node: '22.0.0',
  },
  'node-sqlite': {
    label: 'node:sqlite',
    module: 'node-sqlite',
    role: 'database',
    how: 'the same statements as better-sqlite3, by `DatabaseSync`',
    durability: SQLITE_DURABILITY,
    quick: false,
    node: '22.16.0',
  },
  rocksdb: {
    label: 'RocksDB',
    module: 'rocksdb',
    role: 'database',
    how: '@nxtedition/rocksdb 12.2.12, the defaults, `json` or `buffer` encoding, `nextv` to iterate; has no synchronous read',
    durability: {
      os: '`sync: false`, acknowledged once the operating system has it (its default)',
      full: '`sync: true`, acknowledged after a sync',
    },
    quick: false,
    lacks: ['getSync', 'threads'],
    install: { package: '@nxtedition/rocksdb', version: '12.2.12', binary: 'index.js' },
  },
  'map-file': {
    label: 'Map + file',
    module: 'map-file',
    role: 'bound',
    how: 'a `Map` of the objects themselves, in no order of keys, and a file of JSON that is written once per turn',
    durability: {
      os: 'acknowledged once the operating system has it, never synced',
      full: 'acknowledged after `fdatasync`, which concurrent writes share',
    },
    quick: true,
    lacks: ['range', 'threads'],
  },
  disk: {
    label: 'the disk alone',
    module: 'disk',
    role: 'bound',
    how: '4 KB appended to a file that is already there with all its blocks, then `fdatasync`, by one writer',
    durability: { full: 'returns after `fdatasync`' },
    quick: true,
    workloads: ['durable-1'],
    keepsNothing: true,
  },
};
