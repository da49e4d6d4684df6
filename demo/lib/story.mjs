// The chapters in their order, and the table at the end.

import { CairnDB } from 'cairndb';
import { crash } from '../chapters/crash.mjs';
import { expiration } from '../chapters/expiration.mjs';
import { keys } from '../chapters/keys.mjs';
import { load } from '../chapters/load.mjs';
import { reads } from '../chapters/reads.mjs';
import { verify } from '../chapters/verify.mjs';
import { versions } from '../chapters/versions.mjs';
import { count, duration, perSecond, size } from './format.mjs';

/**
 * @param {import('./screen.mjs').Screen} screen
 * @param {string} directory where there is no database yet
 * @param {{ cities: object[], bytes: number }} source the cities, and the size of the file that they came from
 * @param {{ sessions: number, readings: number, acknowledgements: number, reads: number }} sizes
 */
export async function showAll(screen, directory, { cities, bytes }, sizes) {
  const home = cities.find(({ country, name }) => country === 'CH' && name === 'Zürich');
  const db = await CairnDB.open(directory);
  const facts = {
    sourceBytes: bytes,
    loaded: await load(screen, db, cities),
    expired: await expiration(screen, db, sizes.sessions),
    keys: await keys(screen, db, sizes.readings),
    versions: await versions(screen, db, cities, home),
  };
  await db.close();

  const tables = {
    cities: cities.length,
    sessions: sizes.sessions / 2,
    readings: sizes.readings,
    'readings-short': sizes.readings,
  };
  facts.crash = await crash(screen, directory, { acknowledgements: sizes.acknowledgements, tables });
  await facts.crash.db.close();
  facts.reads = await reads(screen, directory, cities, { number: sizes.reads, prefix: 'CH/Zü' });
  facts.verified = await verify(screen, facts.reads.db);
  summarize(screen, facts);
}

function summarize(screen, { sourceBytes, loaded, expired, keys, versions, crash, reads, verified }) {
  screen.section('What this run measured');
  screen.table([
    [
      'Load',
      `${count(loaded.stored)} records in ${duration(loaded.time)}, ${perSecond(loaded.stored, loaded.time)} writes/s`,
    ],
    ['Open', `${duration(reads.openTime)} after close(), ${duration(crash.openTime)} after kill -9`],
    ['Read', `${reads.sync} getSync/s, ${reads.awaited} awaited get/s, random cities`],
    [
      'Prefix scan',
      `${count(reads.scanned.found)} cities under '${reads.scanned.prefix}' in ${duration(reads.scanned.time)}`,
    ],
    [
      'Size on disk',
      `cities.json ${size(sourceBytes)}; table "cities" ${size(verified.citiesBytes)}, with keys and indexes`,
      `all ${count(verified.liveRecords)} records of ${verified.tables} tables ${size(verified.diskBytes)}`,
    ],
    ['Versions', `${count(versions.updated)} records updated; ${versions.key} is at version ${versions.version}`],
    ['Expiration', `${count(expired.gone)} expired sessions gone, ${count(expired.kept)} others there`],
    ['Keys', `${Math.round(keys.saved * 100)} % fewer bytes than JSON for sensor readings`],
    [
      'kill -9',
      `${count(crash.acknowledged)} writes acknowledged, ${count(crash.found)} recovered, ${count(crash.acknowledged - crash.found)} lost`,
    ],
    ['verify()', `${count(verified.checked)} entries good, ${verified.damaged} damaged`],
  ]);
}
