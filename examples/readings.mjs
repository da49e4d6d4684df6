// Readings of sensors: keys that sort by sensor and time, so that a range is a span of time.

import { CairnDB } from 'cairndb';

const db = await CairnDB.open('./data', {
  dictionaries: { reading: { deflate: { temperature: 't', humidity: 'h' } } },
});

const keyOf = (sensor, time) => `${sensor}/${time.toISOString()}`;
const at = (hour) => new Date(Date.UTC(2026, 0, 1, hour));

const operations = [];
for (const [sensor, base] of [
  ['cellar', 11],
  ['roof', 3],
]) {
  for (let hour = 0; hour < 24; hour += 1) {
    const value = { temperature: base + (hour % 12), humidity: 40 + hour };
    operations.push({ type: 'put', table: 'readings', key: keyOf(sensor, at(hour)), value, dictionary: 'reading' });
  }
}
await db.batch(operations);

// From six o'clock to before nine.
for await (const [key, value] of db.entries('readings', { gte: keyOf('roof', at(6)), lt: keyOf('roof', at(9)) })) {
  console.log(key, value);
}
//> roof/2026-01-01T06:00:00.000Z { temperature: 9, humidity: 46 }
//> roof/2026-01-01T07:00:00.000Z { temperature: 10, humidity: 47 }
//> roof/2026-01-01T08:00:00.000Z { temperature: 11, humidity: 48 }

// The newest one of a sensor.
for await (const { temperature } of db.values('readings', { prefix: 'cellar/', reverse: true, limit: 1 })) {
  console.log(temperature);
}
//> 22

await db.close();
