import { seeded } from "../seeded.ts";

/** A fault of a page, its link, its tokens or its gateway; times are in milliseconds. */
export type PageFault =
  | { readonly kind: "cut" }
  /** Nothing gets through, and nothing is lost. */
  | { readonly kind: "link frozen"; readonly ms: number; readonly way: "up" | "down" | "both" }
  /** The connections that are open fall silent for good, new ones get through. */
  | { readonly kind: "connections dead" }
  | { readonly kind: "connections refused"; readonly ms: number }
  | {
      readonly kind: "transport blocked";
      readonly ms: number;
      readonly blocked: readonly Blockable[];
      readonly how: "cut" | "swallow";
    }
  | { readonly kind: "gateway restarted"; readonly how: "killed" | "drained" }
  | { readonly kind: "gateway frozen"; readonly ms: number }
  | {
      readonly kind: "tokens bad";
      readonly ms: number;
      readonly how: "expired" | "unavailable" | "nonsense" | "slow";
    }
  | { readonly kind: "offline"; readonly ms: number; readonly cuts: boolean }
  | { readonly kind: "hidden"; readonly ms: number }
  | { readonly kind: "page frozen"; readonly ms: number }
  /** The page is frozen, and its connections die meanwhile. */
  | { readonly kind: "machine asleep"; readonly ms: number }
  /** Another page is shown, and then this one again, out of the back/forward cache. */
  | { readonly kind: "away"; readonly ms: number }
  | { readonly kind: "reloaded" }
  | { readonly kind: "another watch"; readonly ms: number }
  /** The machine's clock is set forward or, below 0, back. */
  | { readonly kind: "clock set"; readonly ms: number };

export type Blockable = "websocket" | "sse";

export interface Step {
  /** Milliseconds from the beginning. */
  readonly at: number;
  readonly fault: PageFault;
}

/** How the page watches: by the library, also with one connection for all tabs, by the element, or by React. */
export type Through = "watch" | "tabs" | "element" | "react";

export type Ending = "result" | "failed" | "cancelled" | "error";

/** One analysis, and the page's watch of it. */
export interface WatchedAnalysis {
  readonly events: number;
  /** When the worker has said everything, in milliseconds. */
  readonly endsAt: number;
  readonly ending: Ending;
  /** When the worker says who may watch it. */
  readonly declaredAt: number;
  /** Otherwise the page closes it once it has seen everything. */
  readonly untilTerminal: boolean;
  /** The page asks for its end, then. */
  readonly cancelAt: number | undefined;
}

/** Everything that befalls one page, decided by the seed alone. */
export interface Schedule {
  readonly seed: number;
  readonly analyses: readonly WatchedAnalysis[];
  readonly steps: readonly Step[];
  readonly tokenLifetimeMs: number;
  /** Blocked from the beginning to the end. */
  readonly blocked: readonly Blockable[];
  /** The share, at most 1, of each pause that the page waits before it comes back. */
  readonly pauses: number;
  readonly through: Through;
  /** Two are of the same user and watch the same analyses. Faults of a page befall the first. */
  readonly pages: 1 | 2;
  readonly isStorageFull: boolean;
  /** Whether the page asks below the gateway's BASE_PATH. */
  readonly isBelowPath: boolean;
}

export function scheduleOf(seed: number): Schedule {
  const random = seeded(seed);
  const between = (low: number, high: number) => Math.round(low + random() * (high - low));
  const one = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const length = between(3_000, 6_000);
  const analysis = (): WatchedAnalysis => {
    const ending = one<Ending>(["result", "result", "failed", "cancelled", "error"]);
    return {
      events: between(5, 60),
      endsAt: between(length * 0.4, length * 1.1),
      ending,
      declaredAt: random() < 0.85 ? 0 : between(200, 2_000),
      untilTerminal: random() < 0.6,
      cancelAt: ending === "cancelled" && random() < 0.7 ? between(500, length * 0.4) : undefined,
    };
  };
  const steps: Step[] = Array.from({ length: between(1, 6) }, () => ({
    at: between(0, length),
    fault: one(FAULTS)(between, one),
  }));
  const analyses = Array.from({ length: between(1, 4) }, analysis);
  const tokenLifetimeMs = one([600_000, 20_000, 5_000, 3_000]);
  const blocked = one<readonly Blockable[]>([[], [], [], ["websocket"], ["websocket", "sse"]]);
  const pauses = random() < 0.8 ? 0.25 : 1;
  if (random() < 0.2)
    steps.push({
      at: between(0, length),
      fault: { kind: "clock set", ms: one([-3_600_000, -20_000, 20_000, 3_600_000]) },
    });
  const through = one<Through>(["watch", "watch", "watch", "tabs", "tabs", "element", "react"]);
  return {
    seed,
    analyses,
    steps: steps.sort((one, other) => one.at - other.at),
    tokenLifetimeMs,
    blocked,
    pauses,
    through,
    pages: through === "tabs" || random() < 0.1 ? 2 : 1,
    isStorageFull: random() < 0.1,
    isBelowPath: random() < 0.2,
  };
}

type Between = (low: number, high: number) => number;
type One = <Item>(items: readonly Item[]) => Item;

/** Those that come oftener in life come oftener here. */
const FAULTS: readonly ((between: Between, one: One) => PageFault)[] = [
  () => ({ kind: "cut" }),
  () => ({ kind: "cut" }),
  (between, one) => ({
    kind: "link frozen",
    ms: between(100, 4_000),
    way: one<"up" | "down" | "both">(["up", "down", "both"]),
  }),
  () => ({ kind: "connections dead" }),
  (between) => ({ kind: "connections refused", ms: between(100, 2_000) }),
  (between, one) => ({
    kind: "transport blocked",
    ms: between(500, 3_000),
    blocked: one<readonly Blockable[]>([["websocket"], ["sse"], ["websocket", "sse"]]),
    how: one<"cut" | "swallow">(["cut", "cut", "swallow"]),
  }),
  (_, one) => ({ kind: "gateway restarted", how: one<"killed" | "drained">(["killed", "drained"]) }),
  (between) => ({ kind: "gateway frozen", ms: between(200, 2_500) }),
  (between, one) => ({
    kind: "tokens bad",
    ms: between(500, 2_500),
    how: one<"expired" | "unavailable" | "nonsense" | "slow">(["expired", "unavailable", "nonsense", "slow"]),
  }),
  (between, one) => ({ kind: "offline", ms: between(100, 3_000), cuts: one([true, false]) }),
  (between) => ({ kind: "hidden", ms: between(100, 2_500) }),
  (between) => ({ kind: "page frozen", ms: between(100, 4_000) }),
  (between) => ({ kind: "machine asleep", ms: between(500, 4_000) }),
  (between) => ({ kind: "away", ms: between(50, 1_500) }),
  () => ({ kind: "reloaded" }),
  (between) => ({ kind: "another watch", ms: between(0, 1_500) }),
];
