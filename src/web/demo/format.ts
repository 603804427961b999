const TIME_OF_DAY = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** `0:07`, `12:40`, `1:02:05`; never negative. */
export function clockTime(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** `850 ms`, `3.2 s`, `4 min 5 s`, `2 h 10 min`. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The time left until `at`, as a countdown; undefined if nobody has said, or if that time is over. */
export function remaining(at: string | null, now: number): string | undefined {
  const left = Date.parse(at ?? "") - now;
  return left >= 1000 ? clockTime(left) : undefined;
}

/** `23:59:04.120` in the visitor's own time; empty if it is none. */
export function timeOfDay(at: number): string {
  const seconds = timeInSeconds(at);
  return seconds === "" ? "" : `${seconds}.${String(new Date(at).getMilliseconds()).padStart(3, "0")}`;
}

/** `23:59:04` in the visitor's own time; empty if it is none. */
export function timeInSeconds(at: number): string {
  return Number.isNaN(new Date(at).getTime()) ? "" : TIME_OF_DAY.format(at);
}

/** `0x12ab34cd…9f01`: enough to compare by eye. */
export function shortHash(hash: string): string {
  return hash.length > 18 ? `${hash.slice(0, 10)}…${hash.slice(-4)}` : hash;
}
