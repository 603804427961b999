import { InvalidArgumentError } from "commander";

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Reads `90s`, `15m`, `1h` or `7d` as seconds. */
export function parseDuration(text: string): number {
  const match = /^([1-9]\d{0,7})([smhd])$/.exec(text);
  if (match === null) throw new InvalidArgumentError("Give a number and a unit: 90s, 15m, 1h or 7d.");
  return Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
}

/** A time for people, as `45 s`, `3 min 20 s` or `2 h 5 min`. */
export function durationForPeople(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return joined(Math.floor(whole / 60), "min", whole % 60, "s");
  return joined(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
}

function joined(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`;
}
