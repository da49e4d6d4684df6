// Questions that the report, the plots and the promises ask of the figures.

import { median, ratio } from './statistics.mjs';

export const SUBJECT = 'cairndb';

/** The names of the stores in `results` that have one of these roles. */
export const storesOf = ({ stores }, ...roles) =>
  Object.keys(stores).filter((name) => roles.includes(stores[name].role));

/** The median of a store in a case, or undefined if it was not measured. */
export function medianOf({ figures }, one, name) {
  const list = figures(one, name);
  return list.length === 0 ? undefined : median(list);
}

/** The best of the stores in `names`, or undefined if none was measured. */
export function bestOf(results, one, names) {
  const unit = one.workload.unit;
  const measured = names
    .map((name) => ({ name, figure: medianOf(results, one, name) }))
    .filter(({ figure }) => figure !== undefined);
  if (measured.length === 0) return undefined;
  return measured.reduce((a, b) => (ratio(unit, b.figure, a.figure) > 1 ? b : a));
}

/** The themes in the order of their workloads, each with its cases. */
export function themesOf({ cases }) {
  const themes = new Map();
  for (const one of cases) themes.set(one.workload.theme, [...(themes.get(one.workload.theme) ?? []), one]);
  return [...themes].map(([theme, list]) => ({ theme, cases: list }));
}

/** The stores that have a figure in any of the cases. */
export const measuredIn = (results, cases) =>
  Object.keys(results.stores).filter((name) => cases.some((one) => results.figures(one, name).length > 0));
