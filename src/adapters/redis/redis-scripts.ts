import { createHash } from "node:crypto";
import { withConstants } from "./script-constants.ts";
import appendEvents from "./scripts/append-events.lua" with { type: "text" };
import declareViewers from "./scripts/declare-viewers.lua" with { type: "text" };
import deduplicate from "./scripts/deduplicate.lua" with { type: "text" };
import deadLetter from "./scripts/keep-dead-letter.lua" with { type: "text" };
import mark from "./scripts/publish-mark.lua" with { type: "text" };
import readChannel from "./scripts/read-channel.lua" with { type: "text" };
import readHistory from "./scripts/read-history.lua" with { type: "text" };
import readPositions from "./scripts/read-positions.lua" with { type: "text" };
import readViewers from "./scripts/read-viewers.lua" with { type: "text" };

export type ScriptName = keyof typeof SCRIPTS;

export interface Script {
  /** The text as it is sent, with the constants of the domain. */
  readonly text: string;
  /** The name by which Redis knows it. */
  readonly sha: string;
}

export const SCRIPTS = {
  appendEvents: script(appendEvents.replace("-- INCLUDE deduplicate", () => deduplicate)),
  deadLetter: script(deadLetter),
  declareViewers: script(declareViewers),
  mark: script(mark),
  readChannel: script(readChannel),
  readHistory: script(readHistory),
  readPositions: script(readPositions),
  readViewers: script(readViewers),
};

function script(source: string): Script {
  const text = withConstants(source);
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}
