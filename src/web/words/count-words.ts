import type { Counts } from "../../domain/counts.ts";
import { figure } from "./figure.ts";

/** `340 of 1,000 frames`, `340 frames`; undefined if the worker has counted nothing. */
export function countWords({ current, total, unit }: Counts): string | undefined {
  if (current === null) return undefined;
  const whole = total === null ? figure(current, "en") : `${figure(current, "en")} of ${figure(total, "en")}`;
  return `${whole} ${unit ?? ""}`.trim();
}
