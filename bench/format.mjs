// Figures and records as people read them.

const formats = {
  'operations per second': (figure) =>
    figure < 1e4
      ? Number(figure.toPrecision(3)).toLocaleString('en-US')
      : `${Math.round(figure / 1e3).toLocaleString('en-US')}k`,
  milliseconds: (figure) => `${Number(figure.toPrecision(2))} ms`,
  bytes: (figure) => `${Number((figure / 1e6).toPrecision(3)).toLocaleString('en-US')} MB`,
};

export const formatFigure = (unit, figure) => formats[unit](figure);

const sizeNames = { '95B': '95 B', '1KB': '1 KB', '64KB': '64 KB' };

export const formatCount = (number) => number.toLocaleString('en-US');

export const formatSize = (value) => sizeNames[value];

/** "100,000 objects of 95 B". */
export const formatRecords = ({ records, value, kind }) =>
  `${formatCount(records)} ${kind === 'buffer' ? 'Buffers' : 'objects'} of ${formatSize(value)}`;

/** The title of a case, with what its records are where that is not the same in all of `cases`. */
export function formatTitle({ workload, records, value }, cases) {
  const differs = (what) => new Set(cases.map((one) => one[what])).size > 1;
  const parts = [
    workload.title,
    ...(differs('value') ? [formatSize(value)] : []),
    ...(differs('records') ? [`${formatCount(records)} records`] : []),
  ];
  return parts.join(', ');
}
