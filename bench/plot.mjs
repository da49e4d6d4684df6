// Plots of the figures: one drawing for each theme, with a group of bars for each workload. The scale is logarithmic, since
// the figures of one workload can be a thousand times those of another.

import { formatFigure, formatTitle } from './format.mjs';
import { measuredIn, medianOf, themesOf } from './results.mjs';

const WIDTH = 760;
const LABELS = 170;
const FIGURES = 80;
const BAR = 14;
const GAP = 4;
const TITLE = 22;
const MARGIN = 12;

/** Readable on light and dark pages: the page says which, where the drawing is shown as a picture. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .figure { fill: #57606a }
  .subject { fill: #0969da }
  .variant { fill: #54aeff }
  .database { fill: #8c959f }
  .bound { fill: #d0d7de }
  .grid { stroke: #d0d7de; stroke-dasharray: 2 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .figure { fill: #8b949e }
    .subject { fill: #2f81f7 }
    .variant { fill: #79c0ff }
    .database { fill: #6e7681 }
    .bound { fill: #30363d }
    .grid { stroke: #30363d }
  }`;

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const textAt = (x, y, text, attributes = '') => `<text x="${x}" y="${y}" ${attributes}>${escaped(text)}</text>`;

/** A function from a figure to the length of its bar, and the powers of ten in between. */
function scaleOf(figures) {
  const logs = figures.filter((figure) => figure > 0).map(Math.log10);
  // The shortest bar is to be seen too, so the scale begins below it.
  const low = Math.ceil(Math.min(...logs)) - 1;
  const high = Math.max(...logs);
  const unit = (WIDTH - LABELS - FIGURES) / (high - low);
  const length = (figure) => (figure > 0 ? Math.max(1, (Math.log10(figure) - low) * unit) : 1);
  const powers = Array.from({ length: Math.floor(high) - low }, (_, n) => 10 ** (low + 1 + n));
  return { length, powers };
}

function barAt(y, { label, role, figure, unit }, { length }) {
  const end = LABELS + length(figure);
  const middle = y + BAR - 3;
  return [
    textAt(LABELS - 8, middle, label, 'text-anchor="end"'),
    `<rect class="${role}" x="${LABELS}" y="${y}" width="${(end - LABELS).toFixed(1)}" height="${BAR}" rx="2"/>`,
    textAt((end + 6).toFixed(1), middle, formatFigure(unit, figure), 'class="figure"'),
  ].join('\n');
}

/** The bars of one workload. */
function groupAt(y, { title, bars }, scale) {
  const lines = bars.map((bar, n) => barAt(y + TITLE + n * (BAR + GAP), bar, scale));
  return [textAt(LABELS, y + TITLE - 8, title, 'class="title"'), ...lines].join('\n');
}

const heightOf = ({ bars }) => TITLE + bars.length * (BAR + GAP) + GAP;

function draw(groups, description) {
  const scale = scaleOf(groups.flatMap(({ bars }) => bars.map(({ figure }) => figure)));
  const tops = groups.map((_, n) => MARGIN + groups.slice(0, n).reduce((sum, group) => sum + heightOf(group), 0));
  const height = MARGIN * 2 + groups.reduce((sum, group) => sum + heightOf(group), 0);
  const grid = scale.powers.map((power) => {
    const x = (LABELS + scale.length(power)).toFixed(1);
    return `<line class="grid" x1="${x}" x2="${x}" y1="${MARGIN}" y2="${height - MARGIN}"/>`;
  });
  const body = groups.map((group, n) => groupAt(tops[n], group, scale));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escaped(description)}</title>
<style>${STYLE}
</style>
${[...grid, ...body].join('\n')}
</svg>
`;
}

function groupOf(results, one, cases) {
  const { unit } = one.workload;
  const bars = measuredIn(results, [one]).map((name) => ({
    label: results.stores[name].label,
    role: results.stores[name].role,
    figure: medianOf(results, one, name),
    unit,
  }));
  const better = unit === 'operations per second' ? 'per second' : 'less is better';
  return { title: `${formatTitle(one, cases)} (${better})`, bars };
}

/** A drawing for each theme that has figures. */
export function plots(results) {
  return themesOf(results).flatMap(({ theme, cases }) => {
    const groups = cases
      .map((one) => groupOf(results, one, cases))
      .filter(({ bars }) => bars.some(({ figure }) => figure > 0));
    if (groups.length === 0) return [];
    return [{ theme, svg: draw(groups, `${theme}: medians on a logarithmic scale`) }];
  });
}
