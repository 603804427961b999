import { timeInSeconds } from "../words/times.ts";

/** `0:07`, `12:40`, `1:02:05`; never negative. */
export function clockTime(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
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

/** `0x12ab34cd…9f01`: enough to compare by eye. */
export function shortHash(hash: string): string {
  return hash.length > 18 ? `${hash.slice(0, 10)}…${hash.slice(-4)}` : hash;
}
