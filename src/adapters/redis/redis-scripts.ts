import { createHash } from "node:crypto";
import appendEvents from "./append-events.lua" with { type: "text" };
import deadLetter from "./dead-letter.lua" with { type: "text" };
import declareViewers from "./declare-viewers.lua" with { type: "text" };
import seenBefore from "./deduplicate.lua" with { type: "text" };
import mark from "./mark.lua" with { type: "text" };
import readChannel from "./read-channel.lua" with { type: "text" };
import readHistory from "./read-history.lua" with { type: "text" };
import readPositions from "./read-positions.lua" with { type: "text" };
import readViewers from "./read-viewers.lua" with { type: "text" };

export type ScriptName = keyof typeof SCRIPTS;

/** With the name under which Redis knows it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export const SCRIPTS = {
  appendEvents: script(appendEvents.replace("-- INCLUDE seen-before", () => seenBefore)),
  deadLetter: script(deadLetter),
  declareViewers: script(declareViewers),
  mark: script(mark),
  readChannel: script(readChannel),
  readHistory: script(readHistory),
  readPositions: script(readPositions),
  readViewers: script(readViewers),
};

function script(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}
