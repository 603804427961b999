import type { ReplayRequest } from "../application/fan-out/replay.ts";
import { readPosition } from "../domain/event-position.ts";
import type { ProtocolFault } from "./client-frames.ts";

/** How a watcher wants to be served. */
export interface WatchQuery {
  readonly replay: ReplayRequest;
  readonly untilTerminal: boolean;
  readonly conflates: boolean;
  /** Whether the end of a replay, and how far the client was served, are told. */
  readonly markers: boolean;
  /** Whether a position that is gone is refused, in place of a replay. */
  readonly strict: boolean;
  readonly faults: readonly ProtocolFault[];
}

/** The values that a parameter of the query may have. The first one of `replay` and of `conflate` is the default. */
export const WATCH_VALUES = {
  replay: ["latest", "state", "all", "none"] satisfies ReplayRequest["mode"][],
  conflate: ["status", "none"],
  until: ["terminal"],
  markers: ["0", "1"],
  resume: ["strict"],
} as const;

/** Reads `last_event_id`, `replay`, `conflate`, `until`, `markers` and `resume`. An unknown value is a fault, and the default holds. */
export function readWatchQuery(query: URLSearchParams): WatchQuery {
  const faults: ProtocolFault[] = [];
  const oneOf = (name: keyof typeof WATCH_VALUES): string | undefined => {
    const allowed: readonly string[] = WATCH_VALUES[name];
    const value = query.get(name);
    if (value === null || value === "") return undefined;
    if (allowed.includes(value)) return value;
    faults.push({ code: "invalid_query", message: `${name} is none of: ${allowed.join(", ")}` });
    return undefined;
  };
  const mode = (oneOf("replay") ?? "latest") as ReplayRequest["mode"];
  const untilTerminal = oneOf("until") !== undefined;
  const conflates = (oneOf("conflate") ?? "status") === "status";
  const markers = oneOf("markers") === "1";
  const strict = oneOf("resume") !== undefined;
  const after = readPosition(query.get("last_event_id"));
  return { replay: { mode, after }, untilTerminal, conflates, markers, strict, faults };
}

/** As `readWatchQuery`, for `/ws`: the frames there name each analysis and the position to resume from. */
export function readSocketQuery(query: URLSearchParams): WatchQuery {
  const { faults, ...rest } = readWatchQuery(withoutPlace(query));
  const misplaced = PLACE.filter((name) => query.get(name)).map(
    (name): ProtocolFault => ({ code: "invalid_query", message: `${name} belongs into a subscribe frame` }),
  );
  return { ...rest, faults: [...faults, ...misplaced] };
}

const PLACE = ["last_event_id", "replay"];

function withoutPlace(query: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...query].filter(([name]) => !PLACE.includes(name)));
}
