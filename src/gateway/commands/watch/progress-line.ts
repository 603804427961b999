import type { ConnectionStatus } from "../../../client/sdk.ts";
import type { AnalysisState } from "../../../domain/analysis-state.ts";
import { closeCodeOf } from "../../../domain/close-code.ts";
import { durationForPeople } from "../durations.ts";

/** All that a line tells of. */
export interface ShownProgress {
  readonly state: AnalysisState;
  /** Undefined if nobody can tell. */
  readonly secondsLeft: number | undefined;
  /** The connection to the gateway. */
  readonly connection: ConnectionStatus;
}

export interface LineStyle {
  /** Columns; the line is one shorter, since some terminals wrap a full one. Undefined: as long as it is. */
  readonly columns: number | undefined;
  readonly color: boolean;
  readonly bar: boolean;
}

/** One line of text without a line break. Colours are its only escape codes, whatever a worker wrote. */
export function progressLine(shown: ShownProgress, style: LineStyle): string {
  let left = style.columns === undefined ? Number.POSITIVE_INFINITY : style.columns - 1;
  let line = "";
  for (const { text, color } of partsOf(shown, style)) {
    const fitting = cut(printable(text), left);
    left -= widthOf(fitting);
    line +=
      style.color && color !== undefined && fitting !== ""
        ? `\u001b[${COLORS[color]}m${fitting}\u001b[0m`
        : fitting;
  }
  return line.trimEnd();
}

interface Part {
  readonly text: string;
  readonly color?: keyof typeof COLORS;
}

const COLORS = { green: 32, red: 31, yellow: 33, dim: 2 } as const;
const WIDEST_BAR = 30;
/** A result may be as long as an event. */
const WIDEST_DATA = 200;
/** Columns for everything but the bar. */
const BESIDE_BAR = 50;

type Waiting = Extract<ConnectionStatus, { status: "waiting" }>;

/** Whether the connection is gone. One that is made anew at once, as for a fresh token, is no trouble. */
export function isTrouble(connection: ConnectionStatus): connection is Waiting {
  if (connection.status !== "waiting") return false;
  const reconnect = closeCodeOf(connection.code)?.reconnect;
  const isRoutine = reconnect === "yes" || reconnect === "with_new_token";
  return !isRoutine || connection.retryAt > Date.now();
}

function askedBy({ cancelled_by: request }: AnalysisState): string[] {
  // A gateway of an earlier release does not have it.
  if (!request) return [];
  const { user_id, reason } = request;
  return [`(requested by ${user_id ?? "somebody"}${reason === null ? "" : `: ${reason}`})`];
}

function partsOf({ state, secondsLeft, connection }: ShownProgress, style: LineStyle): Part[] {
  switch (state.status) {
    case "completed":
      return [{ text: "✓ completed", color: "green" }, { text: `  ${verdictOf(state)}` }];
    case "failed":
      return [{ text: "✗ failed", color: "red" }, { text: `  ${failureOf(state)}` }];
    case "cancelled":
      return [
        { text: "■ cancelled", color: "yellow" },
        { text: `  ${[...(state.message ? [state.message] : []), ...askedBy(state)].join(" ")}` },
      ];
    case "unknown":
      return connection.status === "live"
        ? [{ text: "waiting for the first event" }]
        : [{ text: "connecting" }, ...troubleOf(connection)];
    case "queued":
      return [{ text: "queued" }, ...messageOr(troubleOf(connection), state)];
    case "running":
    case "stalled": {
      const isStalled = state.status === "stalled";
      const trouble = troubleOf(connection);
      const rest: Part[] = isStalled
        ? [{ text: `  silent since ${state.updated_at ?? "its beginning"}`, color: "yellow" }]
        : [
            { text: secondsLeft === undefined ? "" : `  about ${durationForPeople(secondsLeft)} left` },
            ...messageOr([], state),
          ];
      return [
        ...(style.bar ? barOf(state.progress ?? 0, style.columns, isStalled) : []),
        { text: `${Math.floor((state.progress ?? 0) * 100)} %`.padStart(5) },
        { text: `  ${state.current_stage ?? ""}` },
        { text: countsOf(state) },
        ...(trouble.length > 0 ? trouble : rest),
      ];
    }
  }
}

function barOf(progress: number, columns: number | undefined, isStalled: boolean): Part[] {
  const width = Math.min(WIDEST_BAR, (columns ?? 0) - BESIDE_BAR);
  if (width < 5) return [];
  const full = Math.round(Math.min(1, Math.max(0, progress)) * width);
  return [
    { text: "█".repeat(full), color: isStalled ? "yellow" : "green" },
    { text: "░".repeat(width - full), color: "dim" },
  ];
}

function troubleOf(connection: ConnectionStatus): Part[] {
  if (!isTrouble(connection)) return [];
  return [{ text: "  no connection to the gateway; trying again", color: "yellow" }];
}

function messageOr(trouble: Part[], { message }: AnalysisState): Part[] {
  return trouble.length > 0 ? trouble : [{ text: `  ${message ?? ""}`, color: "dim" }];
}

/** `  340/1000 frames`; empty if the worker counts nothing. */
function countsOf({ current, total, unit }: AnalysisState): string {
  if (current === null) return "";
  return `  ${current}${total === null ? "" : `/${total}`} ${unit ?? ""}`.trimEnd();
}

function verdictOf({ result }: AnalysisState): string {
  if (result === null) return "";
  if (result.event_type === "result") return result.summary ?? cut(JSON.stringify(result.data), WIDEST_DATA);
  const confidence = `${Math.round(result.confidence_score * 1000) / 10} %`;
  return `${result.is_fake ? "fake" : "authentic"}, with a confidence of ${confidence}`;
}

function failureOf({ error }: AnalysisState): string {
  if (error === null) return "";
  if (error.event_type === "error") return `${error.error_code}: ${error.error_message}`;
  return error.error ?? error.message;
}

/** A worker may write what a terminal obeys. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, " ");
}

function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let [taken, width] = ["", 0];
  for (const character of text) {
    width += widthOf(character);
    if (width >= columns) return columns < 1 ? "" : `${taken}…`;
    taken += character;
  }
  return taken;
}

function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;
/** Characters that take two columns of a terminal: those of East Asia, and pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
