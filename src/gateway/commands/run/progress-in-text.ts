import type { Report } from "../../../client/publisher.ts";

/** Reads how far a program is from a line of its output. Answers undefined if the line does not say it. */
export type ProgressReader = (line: string) => Report | undefined;

/**
 * A reader of what programs usually write: bars of tqdm and rich, the status of ffmpeg, `12/340`, `12 of 340`, `37%`. It remembers
 * how long ffmpeg's input is: one reader for each program. `now` is in milliseconds since 1970.
 */
export function usualProgress(now: () => number): ProgressReader {
  const ffmpeg = ffmpegProgress();
  return (line) => {
    if (!/\d/.test(line) || OF_FFMPEG.test(line)) return undefined;
    return ffmpeg(line) ?? tqdmProgress(line, now) ?? countedProgress(line) ?? percentProgress(line, now);
  };
}

const MESSAGE_CHARACTERS = 200;
/** Lines of ffmpeg about its streams and codecs have shares and counts that are no progress. */
const OF_FFMPEG = /^\s*\[[\w#:/ -]+ @ 0x[0-9a-f]+\]|muxing overhead/;

/** tqdm: `Epoch 1:  45%|████▌     | 45/100 [00:04<00:05, 10.0it/s]`, or without a total `45it [00:04, 10.0it/s]`. */
function tqdmProgress(line: string, now: () => number): Report | undefined {
  const bar = TQDM.exec(line);
  if (bar?.groups === undefined) {
    const [, count, unit] = /(?:^|\s)(\d+)([A-Za-z]+) \[[\d:]+, .*\]$/.exec(line) ?? [];
    return count === undefined ? undefined : { current: Number(count), ...unitField(unit) };
  }
  const { words, percent, current, total, left, rate = "" } = bar.groups;
  const [, perSecond, secondsPer] = /([A-Za-z]+)\/s|s\/([A-Za-z]+)/.exec(rate) ?? [];
  return {
    progress: Number(percent) / 100,
    ...(current === undefined || total === undefined
      ? {}
      : {
          current: scaled(current),
          total: scaled(total),
          ...exactly(current, total),
          ...unitField(perSecond ?? secondsPer),
        }),
    ...messageField(words?.replace(/:\s*$/, "")),
    ...timeLeftField(left, now),
  };
}

const TQDM =
  /^(?<words>.*?)\s*\b(?<percent>\d{1,2}|100)%\|.*\|\s*(?:(?<current>[\d.]+[kMGTP]?)\/(?<total>[\d.]+[kMGTP]?))?\s*\[[\d:]+<(?<left>[\d:]+|\?)(?:,\s*(?<rate>[^\]]*))?\]?/;

/** The counts are finer than the percentage. */
function exactly(current: string, total: string): Report {
  const share = scaled(current) / scaled(total);
  return Number.isFinite(share) ? { progress: Math.min(1, share) } : {};
}

function scaled(count: string): number {
  const steps = ["", "k", "M", "G", "T", "P"];
  return Number.parseFloat(count) * 1000 ** Math.max(0, steps.indexOf(count.slice(-1)));
}

/** Iterations are no unit that a reader of a page knows. */
function unitField(unit: string | undefined): Report {
  return unit === undefined || unit === "it" || unit.length > 32 ? {} : { unit };
}

/** `12/340`, `12 of 340`: no dates, no paths, no versions. */
function countedProgress(line: string): Report | undefined {
  const [, current, , total] =
    /(?<![\w./-])(\d{1,15})(\s*\/\s*|\s+of\s+)(\d{1,15})(?![\w/-]|\.\d)/.exec(line) ?? [];
  if (current === undefined || Number(total) === 0 || Number(current) > Number(total)) return undefined;
  return { current: Number(current), total: Number(total), ...messageField(withoutBar(line)) };
}

/** `37%`, also behind a bar of rich and before the time that it has left. */
function percentProgress(line: string, now: () => number): Report | undefined {
  const [, percent] = /(?<![\w.-])(\d{1,2}(?:\.\d+)?|100(?:\.0+)?)\s?%(?!\w)/.exec(line) ?? [];
  if (percent === undefined) return undefined;
  const [, left] = /[━╸╺].*\s(\d+(?::\d\d){1,2})\s*$/.exec(line) ?? [];
  return { progress: Number(percent) / 100, ...messageField(withoutBar(line)), ...timeLeftField(left, now) };
}

/** The words before a bar; the whole line if there is none. */
function withoutBar(line: string): string {
  return line.replace(/\s*[━╸╺█▏▎▍▌▋▊▉─]{3}.*$/u, "");
}

function messageField(words: string | undefined): Report {
  const message = words?.trim().slice(0, MESSAGE_CHARACTERS) ?? "";
  return message === "" ? {} : { message };
}

function timeLeftField(left: string | undefined, now: () => number): Report {
  if (left === undefined || left === "?") return {};
  const seconds = left.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return { estimated_completion: new Date(now() + seconds * 1000).toISOString() };
}

/** ffmpeg names the length of each input, and again and again how far its output is. */
function ffmpegProgress(): ProgressReader {
  let duration = 0;
  return (line) => {
    const named = /^\s*Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)/.exec(line);
    if (named !== null) duration = Math.max(duration, secondsOf(named));
    const at = duration === 0 ? null : /(?:^|\s)(?:out_)?time=\s*(\d+):(\d\d):(\d\d(?:\.\d+)?)/.exec(line);
    if (at === null) return undefined;
    return { current: Math.min(duration, secondsOf(at)), total: duration, unit: "s" };
  };
}

function secondsOf([, hours, minutes, seconds]: RegExpExecArray): number {
  return Math.round((Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 100) / 100;
}
