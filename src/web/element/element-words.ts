import type { AnalysisState, ConnectionStatus, ResultUpdate, WatchSnapshot } from "../../client/sdk.ts";
import { isEnd } from "../../domain/analysis-state.ts";
import { isStep } from "../words/stage-steps.ts";
import type { Say } from "./element-texts.ts";

/** All that the element shows, in words; an empty text is not shown. */
export interface Shown {
  readonly status: string;
  readonly connection: string;
  /** 0 to 1; null if nobody knows. */
  readonly progress: number | null;
  readonly message: string;
  readonly details: string;
  readonly stages: readonly ShownStage[];
  readonly verdict: string;
  readonly regions: readonly string[];
  /** Members of a result that is no verdict. */
  readonly data: readonly string[];
  readonly failure: string;
  /** Told to people who hear the page: the stage, or the end. */
  readonly announcement: string;
}

interface ShownStage {
  readonly name: string;
  readonly mark: "done" | "current" | "stopped";
  /** The time that a stage took which is over, as `3.2 s`; else empty. */
  readonly duration: string;
}

/** Regions, and members of a result. */
const MOST_LINES = 5;
const LONGEST_TEXT = 200;

/** `language` is a BCP 47 tag, for figures and times; `now` is in milliseconds since 1970. */
export function shownOf(snapshot: WatchSnapshot, say: Say, language: string, now: number): Shown {
  const { connection, analysis, cancelRequested } = snapshot;
  const percent = (share: number) =>
    share.toLocaleString(language, { style: "percent", maximumFractionDigits: 1 });
  if (analysis === null) {
    const none = { message: "", details: "", stages: [], verdict: "", regions: [], data: [], failure: "" };
    const status = connectionWords(connection, say) || say("connecting");
    return { ...none, status, connection: "", progress: null, announcement: "" };
  }
  // It tries again: that it is there is not known yet.
  const link = connection.status === "connecting" ? say("reconnecting") : connectionWords(connection, say);
  const { status, result } = analysis;
  const stages = stagesOf(analysis, say, language);
  const verdict = result?.event_type === "result_update" ? result : undefined;
  const verdictWords = verdict
    ? `${say(verdict.is_fake ? "fake" : "authentic")}, ${say("confidence", { percent: percent(verdict.confidence_score) })}`
    : ((result && "summary" in result && result.summary) ?? "");
  const failure = failureWords(analysis);
  const words = say(status);
  const current = stages.find(({ mark }) => mark === "current");
  const left = secondsLeft(snapshot, now);
  const isAskedToEnd = cancelRequested !== null && !isEnd(status);
  return {
    status: isAskedToEnd ? say("cancelling") : words,
    connection: link,
    progress: status === "completed" ? 1 : analysis.progress,
    message: isEnd(status) ? "" : (analysis.message ?? ""),
    details: isEnd(status) ? "" : detailsOf(analysis, say, language, percent, left),
    stages,
    verdict: verdictWords || "",
    regions: verdict ? regionsOf(verdict, say, percent) : [],
    data: result?.event_type === "result" ? dataOf(result.data, say, language) : [],
    failure,
    announcement: isEnd(status)
      ? [words, verdictWords, failure].filter(Boolean).join(". ")
      : (current?.name ?? words),
  };
}

/** The time that the work still takes by its worker's estimate; undefined if nobody knows, or if it may have changed meanwhile. */
export function secondsLeft({ connection, analysis }: WatchSnapshot, now: number): number | undefined {
  if (connection.status !== "live" || analysis === null || isEnd(analysis.status)) return undefined;
  const left = (Date.parse(analysis.estimated_completion ?? "") - now) / 1000;
  return left > 0 ? left : undefined;
}

function connectionWords(connection: ConnectionStatus, say: Say): string {
  switch (connection.status) {
    case "waiting":
      return say(connection.reason.includes("not_declared") ? "undeclared" : "reconnecting");
    case "refused":
      if (connection.code === 4003) return say("forbidden");
      if (connection.code === 4001) return say("expired");
      return say("refused", { reason: connection.reason || `${connection.code}` });
    default:
      return "";
  }
}

function stagesOf({ stages, status }: AnalysisState, say: Say, language: string): ShownStage[] {
  const steps = stages.filter(({ stage }) => isStep(stage));
  return steps.map(({ stage, started_at, ended_at }, index) => {
    const seconds = ended_at === null ? undefined : (Date.parse(ended_at) - Date.parse(started_at)) / 1000;
    const wasStopped = index === steps.length - 1 && (status === "failed" || status === "cancelled");
    return {
      name: say(`stage.${stage}`),
      mark: wasStopped ? "stopped" : ended_at === null && !isEnd(status) ? "current" : "done",
      duration: seconds === undefined ? "" : durationWords(seconds, language),
    };
  });
}

function durationWords(seconds: number, language: string): string {
  const unit = (value: number, name: string, digits: number) =>
    value.toLocaleString(language, {
      style: "unit",
      unit: name,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  const tenths = Math.round(seconds * 10) / 10;
  if (tenths < 60) return unit(tenths, "second", 1);
  const rest = Math.round(seconds);
  return `${unit(Math.floor(rest / 60), "minute", 0)} ${unit(rest % 60, "second", 0)}`;
}

function detailsOf(
  { status, progress, current, total, unit }: AnalysisState,
  say: Say,
  language: string,
  percent: (share: number) => string,
  left: number | undefined,
): string {
  const figures = {
    current: current?.toLocaleString(language) ?? "",
    total: total?.toLocaleString(language) ?? "",
  };
  const counted =
    current === null ? "" : say(total === null ? "count" : "counts", { ...figures, unit: unit ?? "" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "always" });
  const time = (seconds: number) =>
    seconds < 60
      ? relative.format(Math.ceil(seconds), "second")
      : relative.format(Math.round(seconds / 60), "minute");
  const eta = left === undefined ? "" : say("eta", { time: time(left) });
  return [status === "queued" || progress === null ? "" : percent(progress), counted, eta]
    .filter(Boolean)
    .join(" · ");
}

function regionsOf(
  { suspicious_regions }: ResultUpdate,
  say: Say,
  percent: (share: number) => string,
): string[] {
  const lines = suspicious_regions.slice(0, MOST_LINES).map(({ frame_number, region_type, confidence }) =>
    say("region", {
      frame: `${frame_number}`,
      type: say(`region.${region_type}`),
      percent: percent(confidence),
    }),
  );
  return withRest(lines, suspicious_regions.length, say);
}

/** The members that can be said in words; JSON can be anything. */
function dataOf(data: unknown, say: Say, language: string): string[] {
  const isObject = typeof data === "object" && data !== null && !Array.isArray(data);
  const said = Object.entries(isObject ? data : { result: data }).flatMap(([name, value]) => {
    const words =
      typeof value === "number"
        ? value.toLocaleString(language, { maximumFractionDigits: 3 })
        : typeof value === "boolean"
          ? say(value ? "yes" : "no")
          : value;
    const isShort = typeof words === "string" && words !== "" && words.length <= LONGEST_TEXT;
    return isShort ? [say("datum", { name: say(`data.${name}`), value: words })] : [];
  });
  return withRest(said.slice(0, MOST_LINES), said.length, say);
}

function withRest(lines: readonly string[], count: number, say: Say): string[] {
  return count > lines.length ? [...lines, say("more", { count: `${count - lines.length}` })] : [...lines];
}

function failureWords({ error }: AnalysisState): string {
  if (error === null) return "";
  return error.event_type === "error" ? error.error_message : (error.error ?? error.message);
}
