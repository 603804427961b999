import type { Counts } from "../../domain/counts.ts";
import { figureIn } from "./figure.ts";

const figure = figureIn("en");

/** `340 of 1,000 frames`, `340 frames`; undefined if the worker has counted nothing. */
export function countWords({ current, total, unit }: Counts): string | undefined {
  if (current === null) return undefined;
  const whole = total === null ? figure(current) : `${figure(current)} of ${figure(total)}`;
  return `${whole} ${unit ?? ""}`.trim();
}
