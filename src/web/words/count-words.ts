import type { Counts } from "../../domain/counts.ts";

const FIGURE = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });

/** `340 of 1,000 frames`, `340 frames`; undefined if the worker has counted nothing. */
export function countWords({ current, total, unit }: Counts): string | undefined {
  if (current === null) return undefined;
  const whole =
    total === null ? FIGURE.format(current) : `${FIGURE.format(current)} of ${FIGURE.format(total)}`;
  return `${whole} ${unit ?? ""}`.trim();
}
