/**
 * The stores that are compared, by the name of their module, and what an acknowledged write of theirs survives at each
 * level. Here and not in the modules, which cannot be loaded without their packages.
 *
 * @type {Record<string, { label: string, durability: { os: string, full: string } }>}
 */
export const stores = {
  cairndb: {
    label: 'CairnDB',
    durability: {
      os: 'level `os`, acknowledged once the operating system has it, synced within a second',
      full: 'level `full`, acknowledged after `fdatasync`, which concurrent writes share',
    },
  },
  lmdb: {
    label: 'lmdb',
    durability: {
      os: 'acknowledged once committed, synced soon after (its default)',
      full: '`overlappingSync: false`, acknowledged after a commit that syncs, which concurrent writes share',
    },
  },
  'classic-level': {
    label: 'classic-level',
    durability: {
      os: '`sync: false`, acknowledged once the operating system has it (its default)',
      full: '`sync: true`, acknowledged after a sync',
    },
  },
  'map-file': {
    label: 'Map + file',
    durability: {
      os: 'acknowledged once the operating system has it, never synced',
      full: 'acknowledged after `fdatasync`, which concurrent writes share',
    },
  },
};
