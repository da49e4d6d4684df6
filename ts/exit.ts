/**
 * What has been gathered in this turn enters the engine when the process, or this worker, ends in the middle of it.
 *
 * @module
 */
interface Enterable {
  enter(): void;
}

// Weak: a session that nobody uses any more may be collected, and then its directory is released.
const open = new Set<WeakRef<Enterable>>();
const forgotten = new FinalizationRegistry<WeakRef<Enterable>>(forget);

function enterAll(): void {
  for (const reference of open) reference.deref()?.enter();
}

/** Enters what `session` has gathered when the process exits. One listener serves all sessions. */
export function onExit(session: Enterable): () => void {
  const reference = new WeakRef(session);
  if (open.size === 0) process.on('exit', enterAll);
  open.add(reference);
  forgotten.register(session, reference, reference);
  return () => forget(reference);
}

function forget(reference: WeakRef<Enterable>): void {
  forgotten.unregister(reference);
  if (open.delete(reference) && open.size === 0) process.off('exit', enterAll);
}
