/**
 * `get`: the value of a key.
 *
 * @module
 */
import { exactly } from '../arguments.ts';
import { Negative, type Run } from '../command.ts';
import { shown } from '../terminal.ts';
import { encoded } from '../values.ts';

export const run: Run = async ({ args, json, out, open }) => {
  const { table, key } = exactly(args, 'table', 'key');
  const db = await open('read');
  const record = await db.getRecord(table, key);
  if (!record)
    throw new Negative(`there is no record ${shown(key)} in table ${shown(table)}; keys and ls show those there are`);
  const { value, version, timestamp, expiration, dictionaryName } = record;
  if (json) await out.json({ value: await encoded(value), version, timestamp, expiration, dictionary: dictionaryName });
  else await out.value(value);
  return 0;
};
