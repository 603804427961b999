/** A dead letter by its size. */
export interface KeptSize {
  readonly id: string;
  readonly kind: string;
  readonly bytes: number;
}

/**
 * The ids of the dead letters that are too many: the oldest goes of the kind that has the most, until the rest fits.
 * `kept`: the oldest first.
 */
export function surplus(
  kept: readonly KeptSize[],
  budget: { readonly items: number; readonly bytes: number },
): string[] {
  const kinds = new Map<
    string,
    { items: number; bytes: number; readonly waiting: KeptSize[]; next: number }
  >();
  for (const one of kept) {
    const kind = kinds.get(one.kind) ?? { items: 0, bytes: 0, waiting: [], next: 0 };
    kind.items++;
    kind.bytes += one.bytes;
    kind.waiting.push(one);
    kinds.set(one.kind, kind);
  }
  const all = [...kinds.values()];
  const dropped: string[] = [];
  for (const measure of ["items", "bytes"] as const) {
    while (all.reduce((sum, kind) => sum + kind[measure], 0) > budget[measure]) {
      const largest = all.reduce((most, kind) => (kind[measure] > most[measure] ? kind : most));
      const oldest = largest.waiting[largest.next++];
      if (oldest === undefined) break;
      largest.items--;
      largest.bytes -= oldest.bytes;
      dropped.push(oldest.id);
    }
  }
  return dropped;
}
