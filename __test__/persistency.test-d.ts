// Checked by `tsc --noEmit`: what the types of Persistency promise, and what they refuse.
import { Persistency, type PersistencyOptions, type Removal, type TakeoverReport } from 'cairndb/persistency';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expectType<Expected>() {
  return <Actual>(_: Actual, ..._equal: Equal<Expected, Actual> extends true ? [] : [never]): void => {};
}

export function members(): void {
  const options: PersistencyOptions = { folder: './data', reclaimDelay: 1, reclaimTimeout: undefined };
  const store = new Persistency(options);
  expectType<string>()(store.entriesFile);
  expectType<string>()(store.dataFile);
  expectType<number>()(store.reclaimDelay);
  expectType<number>()(store.count());
  expectType<Generator<[key: string, value: Buffer], null, void>>()(store.cursor());
  expectType<void>()(store.set('k', Buffer.from('v')));
  expectType<void>()(store.set('k', 'v'));
  expectType<Buffer | null>()(store.get('k'));
  expectType<boolean>()(store.delete('k'));
  expectType<number>()(store.getAllocatedBlocks().data.reduce((sum, [start, end]) => sum + end - start, 0));
  expectType<TakeoverReport | undefined>()(store.takeover());
  expectType<Removal>()(store.removeOriginals());
  expectType<void>()(store.close());
  // @ts-expect-error a folder is needed
  new Persistency({});
  // @ts-expect-error there is no context
  new Persistency(options, { now: () => 0 });
  // @ts-expect-error no Buffer
  store.set('k', 5);
  // @ts-expect-error read only
  store.reclaimDelay = 5;
}
