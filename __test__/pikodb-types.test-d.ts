// What the types of the drop-in for PikoDB accept and refuse. Only compiled.
import {
  CairnError,
  type DatabaseOptions,
  type DatabaseRecord,
  type Dictionary,
  PikoDB,
  type ProcessedDictionary,
  processDictionary,
  type Removal,
  type TakeoverReport,
  transformValue,
} from 'cairndb/pikodb';

interface User {
  name: string;
}

const dictionary: Dictionary = { deflate: { sensor: 's' } };
const processed: ProcessedDictionary = processDictionary(dictionary);
export const short: string = transformValue({ sensor: 1 }, processed.deflate);
const options: DatabaseOptions = {
  databaseDirectory: './data',
  dictionaries: { one: dictionary },
  durableWrites: true,
};
const db = new PikoDB(options);

export const written: boolean = await db.write('users', 'a', { name: 'Alice' }, Date.now(), 'one');
export const user: User = await db.get('users', 'a');
export const users: [string, User][] = await db.get('users');
export const whatever: User[] = await db.get('users');
export const size: number = await db.getTableSize('users');
export const names: string[] = [...db.listTables(), ...db.listDictionaries()];
export const record: DatabaseRecord | undefined = await db.getRecord('users', 'a');
export const report: TakeoverReport | undefined = db.takeover();
export const removal: Removal = await db.removeOriginals();
export const error: CairnError | undefined = db.lastError;
export const isError: boolean = error instanceof CairnError;

// @ts-expect-error: it has to have a directory
new PikoDB({});
// @ts-expect-error: keys are strings
await db.get('users', 1);
// @ts-expect-error: a mapping is of strings
db.addDictionary('two', { deflate: { sensor: 1 } });
// @ts-expect-error: read only
db.lastError = undefined;
