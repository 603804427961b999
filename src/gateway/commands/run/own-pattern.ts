import { InvalidArgumentError } from "commander";
import type { Report } from "../../../client/publisher.ts";
import { isStageName } from "../../../domain/stages.ts";
import type { ProgressReader } from "./progress-in-text.ts";

const GROUPS = ["progress", "percent", "current", "total", "stage", "message", "unit"] as const;

/** Reads `--pattern`: a regular expression of JavaScript or Python with named groups, of which at least one is known. */
export function parsePattern(text: string): ProgressReader {
  const expression = compiled(text.replaceAll("(?P<", "(?<"));
  const named = GROUPS.filter((name) => expression.source.includes(`(?<${name}>`));
  if (named.length === 0)
    throw new InvalidArgumentError(`Name a group: (?<current>\\d+). Known: ${GROUPS.join(", ")}.`);
  return (line) => {
    const groups = expression.exec(line)?.groups;
    return groups === undefined ? undefined : reportOf(groups);
  };
}

function compiled(text: string): RegExp {
  try {
    return new RegExp(text, "u");
  } catch (error) {
    throw new InvalidArgumentError(
      `It is no regular expression: ${error instanceof Error ? error.message : error}.`,
    );
  }
}

/** A group that holds no number, or one out of its range, is left out, as is a stage that can be none. */
function reportOf(groups: Readonly<Record<string, string | undefined>>): Report | undefined {
  const numbers = {
    progress: numberIn(groups.progress, 1) ?? hundredth(numberIn(groups.percent, 100)),
    current: numberIn(groups.current),
    total: numberIn(groups.total),
  };
  const texts = { stage: stageIn(groups.stage), message: groups.message?.trim(), unit: groups.unit };
  const given = Object.entries({ ...numbers, ...texts }).filter(
    ([, value]) => value !== undefined && value !== "",
  );
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function numberIn(text: string | undefined, most = Number.POSITIVE_INFINITY): number | undefined {
  const number = text === undefined || text.trim() === "" ? Number.NaN : Number(text.replaceAll(",", ""));
  return number >= 0 && number <= most && Number.isFinite(number) ? number : undefined;
}

/** Programs name their stages for people: `Frame Extraction` is frame_extraction. */
function stageIn(text = ""): string | undefined {
  const name = text.trim().toLowerCase().replaceAll(/\s+/g, "_");
  return isStageName(name) ? name : undefined;
}

function hundredth(percent: number | undefined): number | undefined {
  return percent === undefined ? undefined : percent / 100;
}
