import type { AnalysisState, ConnectionStatus, ResultUpdate, WatchSnapshot } from "../../client/sdk.ts";
import { isEnd } from "../../domain/analysis-state.ts";
import { isStep } from "../words/stage-steps.ts";
import type { Figures } from "./element-figures.ts";
import type { Say } from "./element-texts.ts";

/** All that the element shows, in words; an empty text is not shown. */
export interface Shown {
  /** The status as styles know it; `fake` for a verdict that is bad news. */
  readonly look: string;
  readonly status: string;
  readonly connection?: string;
  /** 0 to 1; null if nobody knows. */
  readonly progress: number | null;
  readonly message?: string | null;
  readonly details?: string;
  readonly stages?: readonly ShownStage[];
  readonly verdict?: string | null;
  readonly regions?: readonly string[];
  /** Members of a result that is no verdict. */
  readonly data?: readonly string[];
  readonly failure?: string;
  /** Told to people who hear the page: the stage, or the end. */
  readonly announcement?: string;
}

interface ShownStage {
  readonly name: string;
  readonly mark: "done" | "current" | "stopped";
  /** The time that a stage took which is over, as `3.2 sec`; else empty. */
  readonly duration: string;
}

/** Regions, and members of a result. */
const MOST_LINES = 5;
/** The last ones: an analysis may go back and forth between stages. */
const MOST_STAGES = 12;
const LONGEST_TEXT = 200;

/** Why nothing can be shown: the page has set an attribute or a property wrongly. */
export function faultOf(reason: string, say: Say): Shown {
  const status = say("misused", { reason });
  return { look: "refused", status, progress: null, announcement: status };
}

/** `now` is in milliseconds since 1970. */
export function shownOf(snapshot: WatchSnapshot, say: Say, figures: Figures, now: number): Shown {
  const { connection, analysis, cancelRequested } = snapshot;
  const { percent } = figures;
  if (analysis === null) {
    const status = connectionWords(connection, say, true) || say("connecting");
    return { look: connection.status, status, progress: null };
  }
  // It tries again: that it is there is not known yet.
  const link = connection.status === "connecting" ? say("reconnecting") : connectionWords(connection, say);
  const { status, result } = analysis;
  const stages = stagesOf(analysis, say, figures);
  const verdict = result?.event_type === "result_update" ? result : undefined;
  const verdictWords = verdict
    ? `${say(verdict.is_fake ? "fake" : "authentic")}, ${say("confidence", { percent: percent(verdict.confidence_score) })}`
    : result && "summary" in result
      ? result.summary
      : null;
  const failure = failureWords(analysis);
  const words = say(status);
  const current = stages.find(({ mark }) => mark === "current");
  const left = secondsLeft(snapshot, now);
  const isAskedToEnd = cancelRequested !== null && !isEnd(status);
  return {
    look: verdict?.is_fake ? "fake" : status,
    status: isAskedToEnd ? say("cancelling") : words,
    connection: link,
    progress: status === "completed" ? 1 : analysis.progress,
    message: isEnd(status) ? "" : analysis.message,
    details: [
      isEnd(status) ? "" : detailsOf(analysis, say, figures, left),
      askedWords(cancelRequested ?? analysis.cancelled_by, say),
    ]
      .filter(Boolean)
      .join(" · "),
    stages,
    verdict: verdictWords,
    regions: verdict ? regionsOf(verdict, say, figures) : [],
    data: result?.event_type === "result" ? dataOf(result.data, say, figures) : [],
    failure,
    announcement: isEnd(status)
      ? [words, verdictWords, failure].filter(Boolean).join(". ")
      : (current?.name ?? words),
  };
}

/** The one who asked for the end, and why. A gateway of an earlier release says neither once it has come. */
function askedWords(request: WatchSnapshot["cancelRequested"] | undefined, say: Say): string {
  const user = request?.user_id ?? "";
  return [user && say("asked", { user }), request?.reason].filter(Boolean).join(": ");
}

/** The time that the work still takes by its worker's estimate; undefined if nobody knows, or if it may have changed meanwhile. */
export function secondsLeft({ connection, analysis }: WatchSnapshot, now: number): number | undefined {
  if (connection.status !== "live" || analysis === null || isEnd(analysis.status)) return undefined;
  const left = (Date.parse(analysis.estimated_completion ?? "") - now) / 1000;
  return left > 0 ? left : undefined;
}

/** `isFirst`: the connection has not been there yet. */
function connectionWords(connection: ConnectionStatus, say: Say, isFirst = false): string {
  switch (connection.status) {
    case "waiting":
      if (connection.reason.includes("not_declared")) return say("undeclared");
      return isFirst ? say("unconnected", { reason: connection.reason }) : say("reconnecting");
    case "refused":
      if (connection.code === 4003) return say("forbidden");
      if (connection.code === 4001) return say("expired");
      return say("refused", { reason: connection.reason || `${connection.code}` });
    default:
      return "";
  }
}

function stagesOf({ stages, status }: AnalysisState, say: Say, { duration, figure }: Figures): ShownStage[] {
  const steps = stages.filter(({ stage }) => isStep(stage));
  const shown = steps.map(({ stage, started_at, ended_at }, index): ShownStage => {
    // The clock of a worker may go back.
    const seconds =
      ended_at === null ? undefined : Math.max(0, Date.parse(ended_at) - Date.parse(started_at)) / 1000;
    const wasStopped = index === steps.length - 1 && (status === "failed" || status === "cancelled");
    return {
      name: say(`stage.${stage}`),
      mark: wasStopped ? "stopped" : ended_at === null && !isEnd(status) ? "current" : "done",
      duration: seconds === undefined ? "" : duration(seconds),
    };
  });
  const rest = shown.length - MOST_STAGES;
  if (rest <= 0) return shown;
  const earlier = say("earlier", { count: figure(rest) });
  return [{ name: earlier, mark: "done", duration: "" }, ...shown.slice(rest)];
}

function detailsOf(
  { status, progress, current, total, unit }: AnalysisState,
  say: Say,
  { figure, percent, timeLeft }: Figures,
  left: number | undefined,
): string {
  const counts = { current: figure(current ?? 0), total: figure(total ?? 0), unit: unit ?? "" };
  const counted = current === null ? "" : say(total === null ? "count" : "counts", counts);
  const eta = left === undefined ? "" : say("eta", { time: timeLeft(left) });
  return [status === "queued" || progress === null ? "" : percent(progress), counted, eta]
    .filter(Boolean)
    .join(" · ");
}

function regionsOf({ suspicious_regions }: ResultUpdate, say: Say, figures: Figures): string[] {
  const lines = suspicious_regions.slice(0, MOST_LINES).map(({ frame_number, region_type, confidence }) =>
    say("region", {
      frame: `${frame_number}`,
      type: say(`region.${region_type}`),
      percent: figures.percent(confidence),
    }),
  );
  return withRest(lines, suspicious_regions.length, say, figures);
}

/** The members that can be said in words; JSON can be anything. */
function dataOf(data: unknown, say: Say, figures: Figures): string[] {
  const isObject = typeof data === "object" && data !== null && !Array.isArray(data);
  const said = Object.entries(isObject ? data : { result: data }).flatMap(([name, value]) => {
    const words =
      typeof value === "number"
        ? figures.figure(value)
        : typeof value === "boolean"
          ? say(value ? "yes" : "no")
          : value;
    const label = say(`data.${name}`);
    const isShort = typeof words === "string" && words !== "" && words.length <= LONGEST_TEXT;
    return isShort && label !== "" ? [say("datum", { name: label, value: words })] : [];
  });
  return withRest(said.slice(0, MOST_LINES), said.length, say, figures);
}

function withRest(lines: readonly string[], count: number, say: Say, { figure }: Figures): string[] {
  const rest = count - lines.length;
  return rest > 0 ? [...lines, say("more", { count: figure(rest) })] : [...lines];
}

function failureWords({ error }: AnalysisState): string {
  if (error === null) return "";
  return error.event_type === "error" ? error.error_message : (error.error ?? error.message);
}
