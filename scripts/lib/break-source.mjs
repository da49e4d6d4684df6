// Puts a deliberate defect into a source.

/** The source with `to` in the place of `from`, which has to stand there exactly once. */
export function breakSource(source, { file, from, to }) {
  const parts = source.split(from);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} places that read\n${from}`);
  return parts.join(to);
}
