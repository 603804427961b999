import { createHash } from "node:crypto";
import { withConstants } from "./script-constants.ts";
import answerWithCancel from "./scripts/answer-with-cancel.lua" with { type: "text" };
import appendEvents from "./scripts/append-events.lua" with { type: "text" };
import copyCancel from "./scripts/copy-cancel.lua" with { type: "text" };
import currentRun from "./scripts/current-run.lua" with { type: "text" };
import declareViewers from "./scripts/declare-viewers.lua" with { type: "text" };
import deduplicate from "./scripts/deduplicate.lua" with { type: "text" };
import indexRunning from "./scripts/index-running.lua" with { type: "text" };
import judgeCancel from "./scripts/judge-cancel.lua" with { type: "text" };
import deadLetter from "./scripts/keep-dead-letter.lua" with { type: "text" };
import mark from "./scripts/publish-mark.lua" with { type: "text" };
import readChannel from "./scripts/read-channel.lua" with { type: "text" };
import readHistory from "./scripts/read-history.lua" with { type: "text" };
import readPositions from "./scripts/read-positions.lua" with { type: "text" };
import readRunning from "./scripts/read-running.lua" with { type: "text" };
import readViewers from "./scripts/read-viewers.lua" with { type: "text" };
import requestCancel from "./scripts/request-cancel.lua" with { type: "text" };
import signOfLife from "./scripts/sign-of-life.lua" with { type: "text" };

export type ScriptName = keyof ReturnType<typeof scripts>;

export interface Script {
  /** The text as it is sent, with the constants of the domain. */
  readonly text: string;
  /** The name by which Redis knows it. */
  readonly sha: string;
}

/**
 * How the gateways' own channels reach those that subscribe: through all of Redis, or within the one shard of a Cluster that
 * has the channel's slot.
 */
export type OwnChannels = "plain" | "sharded";

/** Texts that several scripts share, or that make a long script shorter. */
const PARTS: ReadonlyMap<string, string> = new Map([
  ["answer-with-cancel", answerWithCancel],
  ["current-run", currentRun],
  ["deduplicate", deduplicate],
  ["judge-cancel", judgeCancel],
]);

/** The scripts, by how they publish. No gateway that knows the first format of channels alone was ever on a Cluster. */
export const SCRIPTS = {
  plain: scripts("PUBLISH", "1", readPositions),
  sharded: scripts("SPUBLISH", "2", readPositions.replace("no-writes", "no-writes,allow-cross-slot-keys")),
} as const;

function scripts(
  publish: "PUBLISH" | "SPUBLISH",
  formatOfNewChannels: "1" | "2",
  readPositionsThere: string,
) {
  const script = (source: string): Script => {
    // In the text itself, so that a refusal names the command that the gateway's user may not run.
    const text = withConstants(withParts(source))
      .replaceAll("call('PUBLISH'", `call('${publish}'`)
      .replace(
        "local FORMAT_OF_NEW_CHANNELS = '1'",
        `local FORMAT_OF_NEW_CHANNELS = '${formatOfNewChannels}'`,
      );
    return { text, sha: createHash("sha1").update(text).digest("hex") };
  };
  return {
    appendEvents: script(appendEvents),
    copyCancel: script(copyCancel),
    indexRunning: script(indexRunning),
    readRunning: script(readRunning),
    deadLetter: script(deadLetter),
    declareViewers: script(declareViewers),
    mark: script(mark),
    readChannel: script(readChannel),
    readHistory: script(readHistory),
    readPositions: script(readPositionsThere),
    readViewers: script(readViewers),
    requestCancel: script(requestCancel),
    signOfLife: script(signOfLife),
  };
}

/** Puts a part in the place of each line `-- INCLUDE part`. Throws if there is no such part. */
function withParts(script: string): string {
  return script.replace(/^-- INCLUDE (.+)$/gm, (_, name: string) => {
    const part = PARTS.get(name);
    if (part === undefined) throw new Error(`no script may use the part ${name}`);
    return withParts(part);
  });
}
