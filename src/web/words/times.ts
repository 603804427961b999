const TIME_OF_DAY = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** `850 ms`, `3.2 s`, `4 min 5 s`, `2 h 10 min`: how long something took. */
export function duration(milliseconds: number): string {
  const ms = Math.round(Math.max(0, milliseconds));
  if (ms < 1000) return `${ms} ms`;
  // Beyond, it would round to 60.0 s.
  return ms < 59_950 ? `${(ms / 1000).toFixed(1)} s` : inMinutes(ms);
}

/** `3 s`, `4 min 5 s`, `2 h 10 min`: how long something has taken, in whole seconds that have passed. */
export function durationSoFar(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  return ms < 60_000 ? `${Math.floor(ms / 1000)} s` : inMinutes(ms);
}

/** `23:59:04` in the visitor's own time; empty if it is none. `at` is in milliseconds since 1970. */
export function timeInSeconds(at: number): string {
  return Number.isNaN(new Date(at).getTime()) ? "" : TIME_OF_DAY.format(at);
}

function inMinutes(ms: number): string {
  const minutes = Math.max(1, Math.floor(ms / 60_000));
  if (minutes < 60) return `${minutes} min ${Math.max(0, Math.floor((ms - minutes * 60_000) / 1000))} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
