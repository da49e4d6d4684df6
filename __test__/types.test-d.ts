// Checked by `tsc --noEmit`: what the types promise, and what they refuse.
import {
  type BackupReport,
  type BatchOperation,
  CairnDB,
  CairnError,
  type Change,
  type DatabaseOptions,
  type DatabaseRecord,
  type DatabaseStats,
  type Dictionary,
  type Durability,
  type ErrorCode,
  type ExchangeOptions,
  type LongWorkOptions,
  type PruneReport,
  type RangeOptions,
  type VerifyReport,
  type WriteOptions,
} from 'cairndb';
import { KeyError, type Removal, Store, type StoreOptions, type TakeoverReport } from 'cairndb/dskvs';
import { AllowedExecution, type PersistentRecord, PersistentStore } from 'cairndb/worsen';

interface User {
  name: string;
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expectType<Expected>() {
  return <Actual>(_: Actual, ..._equal: Equal<Expected, Actual> extends true ? [] : [never]): void => {};
}

export async function promises(): Promise<void> {
  const options: DatabaseOptions = {
    databaseDirectory: './data',
    dictionaries: { a: { deflate: { name: 'n' } }, b: { inflate: { n: 'name' } } },
    durableWrites: true,
    durability: 'full',
    syncInterval: 1,
    flushInterval: 1,
    reclaimDelay: 1,
    keepGenerations: 1,
    memtableBytes: 65_536,
    mmap: true,
  };
  const db = new CairnDB(options);
  expectType<Promise<void>>()(db.start());
  expectType<Promise<CairnDB>>()(CairnDB.open('./data', { durability: 'os' }));
  expectType<string>()(db.directory);

  expectType<Promise<boolean>>()(db.write('t', 'k', 1));
  expectType<Promise<boolean>>()(db.write('t', 'k', 1, 5, 'dictionary'));
  expectType<Promise<boolean>>()(db.write('t', 'k', 1, undefined, 'dictionary'));
  const terms: WriteOptions = { expiresAt: new Date(), dictionary: null, ifVersion: 0, durability: 'eventual' };
  expectType<Promise<boolean>>()(db.write('t', 'k', 1, terms));
  const exchange: ExchangeOptions = { ttl: 5, dictionary: 'd', durability: 'os' };
  expectType<Promise<User | undefined>>()(db.getAndSet<User>('t', 'k', 1, exchange));
  // biome-ignore lint/suspicious/noExplicitAny: without a type argument a value is any.
  expectType<Promise<any>>()(db.getAndSet('t', 'k', 1));
  expectType<Promise<boolean>>()(db.delete('t', 'k'));

  // biome-ignore lint/suspicious/noExplicitAny: without a type argument a value is any.
  expectType<Promise<any>>()(db.get('t', 'k'));
  expectType<Generator<[key: string, value: User], void, void>>()(db.entriesSync<User>('t', { prefix: 'a' }));
  expectType<Generator<User, void, void>>()(db.valuesSync<User>('t'));
  expectType<Generator<string, void, void>>()(db.keysSync('t'));
  const work: LongWorkOptions = { signal: AbortSignal.abort(), onProgress: ({ done, total }) => done / total };
  expectType<Promise<BackupReport>>()(db.backup('./backup', work));
  expectType<Promise<BackupReport>>()(CairnDB.restore('./backup', './restored', work));
  expectType<Promise<PruneReport>>()(db.prune({ keep: 1 }));
  expectType<Promise<VerifyReport>>()(db.verify(work));
  expectType<Promise<void>>()(db.compact(work));
  expectType<AsyncGenerator<Change<User>, void, void>>()(
    CairnDB.watch<User>('./data', { signal: AbortSignal.abort() }),
  );
  expectType<Promise<User | undefined>>()(db.get<User>('t', 'k'));
  expectType<Promise<[key: string, value: User][]>>()(db.get<User>('t'));
  expectType<User | undefined>()(db.getSync<User>('t', 'k'));
  expectType<Promise<(User | undefined)[]>>()(db.getMany<User>('t', ['a', 'b'] as const));
  expectType<Promise<DatabaseRecord<User> | undefined>>()(db.getRecord<User>('t', 'k'));
  const record = await db.getRecord<User>('t', 'k');
  if (record) {
    expectType<number>()(record.version);
    expectType<number | null>()(record.expiration);
    expectType<string | null>()(record.dictionaryName);
    await db.write('t', 'copy', record.value, { expiresAt: record.expiration, dictionary: record.dictionaryName });
  }
  expectType<Promise<boolean>>()(db.has('t', 'k'));

  const range: RangeOptions = { gte: 'a', lt: 'b', prefix: 'a', reverse: true, limit: 5 };
  for await (const [key, value] of db.entries<User>('t', range)) {
    expectType<string>()(key);
    expectType<User>()(value);
  }
  for await (const key of db.keys('t', range)) expectType<string>()(key);
  for await (const value of db.values<User>('t')) expectType<User>()(value);

  const batch: BatchOperation[] = [
    { type: 'put', table: 't', key: 'k', value: 1, ttl: 5, dictionary: 'a', ifVersion: 0 },
    { type: 'del', table: 't', key: 'k', ifVersion: 1 },
  ];
  const durability: Durability = 'full';
  expectType<Promise<boolean>>()(db.batch(batch, { durability }));

  expectType<Promise<number>>()(db.getTableSize('t'));
  expectType<string[]>()(db.listTables());
  expectType<Promise<boolean>>()(db.deleteTable('t'));
  expectType<Promise<number>>()(db.cleanupExpired('t'));
  expectType<Promise<number>>()(db.cleanupAllExpired());
  expectType<Promise<void>>()(db.flush());
  expectType<Promise<void>>()(db.compact());
  expectType<Promise<VerifyReport>>()(db.verify());
  expectType<Promise<DatabaseStats>>()(db.stats());

  const dictionary: Dictionary = { deflate: { name: 'n' } };
  expectType<void>()(db.addDictionary('a', dictionary));
  expectType<boolean>()(db.removeDictionary('a'));
  expectType<string[]>()(db.listDictionaries());
  expectType<Promise<void>>()(db.close());
  expectType<Promise<void>>()(db[Symbol.asyncDispose]());
  await using _disposed: AsyncDisposable = db;

  try {
    await db.write('t', 'k', 1, { ifVersion: 1 });
  } catch (error) {
    if (!(error instanceof CairnError)) throw error;
    expectType<ErrorCode>()(error.code);
    expectType<number | undefined>()(error.actualVersion);
  }
}

export async function dskvs(): Promise<void> {
  const options: StoreOptions = { durability: 'full', flushInterval: 5 };
  expectType<Promise<Store>>()(Store.open('./data', options));
  const store = new Store('./data');
  expectType<Promise<void>>()(store.load());
  expectType<Promise<Buffer | undefined>>()(store.get('a/b'));
  expectType<Promise<Buffer[]>>()(store.getAll('a'));
  expectType<Promise<Buffer | undefined>>()(store.put('a/b', 'text'));
  expectType<Promise<Buffer | undefined>>()(store.put('a/b', new Uint8Array(1)));
  for (const done of [store.delete('a/b'), store.deleteAll('a'), store.flush()]) expectType<Promise<void>>()(done);
  expectType<TakeoverReport | undefined>()(store.takeover());
  expectType<Removal>()(store.removeOriginals());
  expectType<string>()(store.directory);
  // @ts-expect-error: a value is bytes or a string.
  void store.put('a/b', { quality: 'epic' });
  // @ts-expect-error: there is no such option.
  new Store('./data', { mmap: false });
  try {
    await store.get('a');
  } catch (error) {
    if (error instanceof KeyError) expectType<ErrorCode>()(error.code);
  }
  expectType<Promise<void>>()(store.close());
  await using _disposed: AsyncDisposable = store;
}

export async function worsen(): Promise<void> {
  const store = new PersistentStore<User>('users', { db_dir: './db', is_debug: false });
  expectType<void>()(store.init());
  store.init(5000, [{ uid: 'a', data: { name: 'A' } }]);
  expectType<User | undefined>()(store.read('a'));
  const record: PersistentRecord<User> = { uid: 'a', data: { name: 'A' }, persist: true };
  expectType<Promise<void>>()(store.write(record, 0));
  expectType<Promise<void>>()(store.write({ data: { name: 'A' } }));
  expectType<Promise<void>>()(store.write('a', { name: 'A' }));
  expectType<{ app_state: object; data: Record<string, User> }>()(store.get_hashmap_state());
  expectType<boolean>()(store.can_execute());
  expectType<boolean>()(store.is_executing);
  expectType<NodeJS.Timeout | undefined>()(store.interval);
  expectType<string>()(store.db_location);
  expectType<TakeoverReport | undefined>()(store.takeover());
  const execution: AllowedExecution = AllowedExecution.ViewUsers;
  expectType<string>()(`${execution}`);
  // @ts-expect-error: the value is of another type.
  void store.write({ uid: 'a', data: 5 });
  // @ts-expect-error: a uid is a string.
  store.read(5);
  // @ts-expect-error: where it is cannot be changed.
  store.db_location = 'elsewhere';
  await using _disposed: AsyncDisposable = store;
}

export function refusals(db: CairnDB): void {
  // @ts-expect-error: getAndSet() is a condition of its own.
  void db.getAndSet('t', 'k', 1, { ifVersion: 1 });
  // @ts-expect-error: the directory is required.
  new CairnDB({});
  // @ts-expect-error: there is no such option.
  new CairnDB({ databaseDirectory: 'd', durablity: 'os' });
  // @ts-expect-error: there is no such level.
  new CairnDB({ databaseDirectory: 'd', durability: 'fsync' });
  // @ts-expect-error: the directory is the first argument.
  void CairnDB.open('d', { databaseDirectory: 'd' });
  // @ts-expect-error: a key is a string.
  void db.write('t', 1, 1);
  // @ts-expect-error: a Date goes into the options.
  void db.write('t', 'k', 1, new Date());
  // @ts-expect-error: either options or a dictionary name.
  void db.write('t', 'k', 1, {}, 'd');
  // @ts-expect-error: both directions.
  db.addDictionary('d', { deflate: { a: 'b' }, inflate: { b: 'a' } });
  // @ts-expect-error: neither direction.
  db.addDictionary('d', {});
  // @ts-expect-error: a put has a value.
  void db.batch([{ type: 'put', table: 't', key: 'k' }]);
  // @ts-expect-error: a del has none.
  void db.batch([{ type: 'del', table: 't', key: 'k', value: 1 }]);
  // @ts-expect-error: the directory cannot be changed.
  db.directory = 'other';
  // @ts-expect-error: there is no such member of a range.
  db.entries('t', { start: 'a' });
}
