// Runs the cases in rounds, each measurement in a process of its own, and collects the figures.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from './children.mjs';
import { prepare } from './installed.mjs';
import { watchStolen } from './stolen.mjs';
import { stores } from './stores/catalog.mjs';

/** A measurement is made again if others had more than this share of the processors meanwhile, up to so many in all. */
const STOLEN = 0.02;
const TRIES = 3;

const keyOf = ({ workload, records, value, kind }) => [workload.id, records, value, kind].join(' ');

/** Cases with the same records, which one loaded store serves. */
function byRecords(cases) {
  const groups = new Map();
  for (const one of cases) {
    const key = [one.records, one.value, one.kind].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

function takesPart({ themes, workloads, lacks = [] }, { id, theme, needs }) {
  if (workloads !== undefined) return workloads.includes(id);
  return (themes === undefined || themes.includes(theme)) && !lacks.includes(needs);
}

/** Another store begins each round, so that none always runs after the same one. */
const turned = (items, round) => [...items.slice(round % items.length), ...items.slice(0, round % items.length)];

class Measurement {
  figures = new Map();
  failures = [];
  crashes = [];
  unavailable = {};
  notes = {};
  /** How many measurements were made again, and how many of the figures were disturbed even so. */
  disturbed = { limit: STOLEN, repeated: 0, left: 0 };
  #ways = new Map();

  constructor(settings) {
    this.settings = settings;
  }

  async #wayOf(name) {
    if (!this.#ways.has(name)) {
      const way = await prepare(stores[name]);
      this.#ways.set(name, way);
      if (way.unavailable !== undefined) this.unavailable[name] = way.unavailable;
      if (way.note !== undefined) this.notes[name] = way.note;
    }
    return this.#ways.get(name);
  }

  /** That another database brings its process down is a result of the run; all else that fails is a fault of it. */
  #fail(name, what, { message, signal }) {
    const { label, role } = stores[name];
    const crashed = signal && role === 'database';
    if (crashed) this.crashes.push(`${label}: its process ended with ${signal} in “${what}”`);
    else this.failures.push(`${label}, ${what}: ${message}`);
    console.error(crashed ? this.crashes.at(-1) : `FAILED ${this.failures.at(-1)}`);
  }

  /** Resolves to what the child says, or to undefined if the store is unavailable or has failed. */
  async #run(name, { workload, records, value, kind }, job) {
    const { module, mode, role, keepsNothing = false } = stores[name];
    const way = await this.#wayOf(name);
    if (this.unavailable[name] !== undefined) return undefined;
    const level = workload?.level ?? 'os';
    const settings = { level, mode, module: way.module, threads: workload?.needs === 'threads' };
    const required = role === 'subject';
    const all = { ...job, module, required, keepsNothing, settings, records, value, kind, workload: workload?.id };
    try {
      const message = await runChild('./child.mjs', [JSON.stringify(all)], { execPath: way.execPath });
      if (message.unavailable === undefined) return message;
      this.unavailable[name] = message.unavailable;
    } catch (error) {
      this.#fail(name, workload?.title ?? job.task, error);
    }
    return undefined;
  }

  /** The stores that take part in some of the cases, and are there. */
  #present(cases) {
    return Object.keys(stores).filter(
      (name) =>
        this.unavailable[name] === undefined &&
        (stores[name].quick || !this.settings.quick) &&
        cases.some(({ workload }) => takesPart(stores[name], workload)),
    );
  }

  /** Fills each store with the records of the cases. Resolves to the directories by the name of the store. */
  async #load(cases, parent) {
    const loaded = {};
    const needed = cases.filter(({ workload }) => workload.start !== 'empty');
    for (const name of this.#present(needed)) {
      console.error(`  loading ${stores[name].label}`);
      const directory = join(parent, name);
      mkdirSync(directory);
      const { records, value, kind } = cases[0];
      if (await this.#run(name, { records, value, kind }, { task: 'load', directory })) loaded[name] = directory;
    }
    return loaded;
  }

  /** Resolves to the figure, and to the share of the processors that others had; to undefined if there is none. */
  async #measureOnce(name, one, loaded) {
    const directory = mkdtempSync(join(this.settings.folder, 'run-'));
    const { seconds } = this.settings;
    const stolenSince = watchStolen();
    const message = await this.#run(name, one, { task: 'measure', directory, loaded, seconds });
    const stolen = stolenSince();
    rmSync(directory, { recursive: true, force: true });
    return message && { figure: message.figure, stolen };
  }

  async #measure(name, one, loaded) {
    if (one.workload.start !== 'empty' && loaded === undefined) return;
    let best = await this.#measureOnce(name, one, loaded);
    for (let tries = 1; best?.stolen > STOLEN && tries < TRIES; tries++) {
      this.disturbed.repeated += 1;
      const again = await this.#measureOnce(name, one, loaded);
      if (again?.stolen < best.stolen) best = again;
    }
    if (best === undefined) return;
    if (best.stolen > STOLEN) this.disturbed.left += 1;
    const key = `${keyOf(one)} ${name}`;
    this.figures.set(key, [...(this.figures.get(key) ?? []), best.figure]);
  }

  async #rounds(cases, loaded) {
    const { rounds } = this.settings;
    for (let round = 0; round < rounds; round++) {
      for (const one of cases) {
        console.error(`  round ${round + 1} of ${rounds}: ${one.workload.title}`);
        for (const name of turned(this.#present([one]), round)) await this.#measure(name, one, loaded[name]);
      }
    }
  }

  /** Measures cases with the same records, and verifies that reading has changed none of them. */
  async group(cases) {
    const { records, value, kind } = cases[0];
    console.error(`${records.toLocaleString('en-US')} records, ${kind}s of ${value}`);
    const parent = mkdtempSync(join(this.settings.folder, 'loaded-'));
    const loaded = await this.#load(cases, parent);
    await this.#rounds(cases, loaded);
    for (const [name, directory] of Object.entries(loaded)) {
      await this.#run(name, { records, value, kind }, { task: 'verify', directory });
    }
    rmSync(parent, { recursive: true, force: true });
  }
}

/**
 * Measures all cases.
 *
 * @param {object[]} cases
 * @param {{ folder: string, rounds: number, seconds: number, quick: boolean }} settings
 */
export async function measureAll(cases, settings) {
  const measurement = new Measurement(settings);
  for (const part of byRecords(cases)) await measurement.group(part);
  const { figures, failures, crashes, unavailable, notes, disturbed } = measurement;
  return {
    cases,
    stores,
    rounds: settings.rounds,
    failures,
    crashes,
    unavailable,
    notes,
    disturbed,
    figures: (one, name) => figures.get(`${keyOf(one)} ${name}`) ?? [],
  };
}
