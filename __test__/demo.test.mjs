import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crash } from '../demo/chapters/crash.mjs';
import { cityKey, readCities } from '../demo/lib/data.mjs';
import { Screen } from '../demo/lib/screen.mjs';
import { showAll } from '../demo/lib/story.mjs';
import { newDirectory, open } from './helpers.mjs';

const SIZES = { sessions: 100, readings: 200, acknowledgements: 500, reads: 500 };

/** A screen that keeps what it shows. */
function screenWith(stream = {}) {
  const written = [];
  const screen = new Screen({ write: (text) => written.push(text), ...stream });
  return { screen, text: () => written.join('') };
}

test('the demo holds what it shows, on real cities', async (t) => {
  const { cities, bytes } = readCities();
  const swiss = cities.filter(({ country }) => country === 'CH');
  const { screen, text } = screenWith();
  await showAll(screen, newDirectory(t), { cities: swiss, bytes }, SIZES);
  assert.equal(screen.failures, 0, text());
  assert.equal(screen.checks, 15);
  assert.match(text(), /\d writes acknowledged, \d.* recovered, 0 lost\n/);
  assert.doesNotMatch(text(), /undefined|NaN|NOT SO/);
});

test('every city of the package has a key of its own', () => {
  const { cities } = readCities();
  assert.ok(cities.length > 100_000);
  assert.equal(new Set(cities.map(cityKey)).size, cities.length);
});

test('a lost record is noticed', async (t) => {
  const db = await open(t);
  await db.write('cities', 'CH/Zürich', 1);
  await db.close();
  const { screen, text } = screenWith();
  const tables = { cities: 2 };
  const { db: reopened } = await crash(screen, db.directory, { acknowledgements: 100, tables });
  await reopened.close();
  assert.equal(screen.failures, 1);
  assert.match(text(), /✗ NOT SO: and so is everything that was written before/);
});

test('progress is one line on a terminal, and a few plain lines elsewhere', () => {
  const piped = screenWith();
  const report = piped.screen.progress(1000, 'cities');
  for (let done = 1; done <= 1000; done++) report(done);
  assert.equal(piped.text(), [250, 500, 750, '1,000'].map((done) => `   ${done} of 1,000 cities\n`).join(''));

  const terminal = screenWith({ isTTY: true });
  const redraw = terminal.screen.progress(10, 'cities');
  for (let done = 1; done <= 10; done++) redraw(done);
  assert.match(terminal.text(), /^(\r {3}\d+ of 10 cities)+\r {18}\r$/);
});

test('colours are for terminals that have them', () => {
  for (const [stream, colored] of [
    [{}, false],
    [{ isTTY: true, hasColors: () => false }, false],
    [{ isTTY: true, hasColors: () => true }, true],
  ]) {
    const { screen, text } = screenWith(stream);
    screen.check(true, 'so');
    assert.equal(text().includes('\u001b['), colored);
  }
});
