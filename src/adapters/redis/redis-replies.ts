import type { ChannelPosition, ChannelSnapshot, HistoryPage } from "../../application/ports/pub-sub-port.ts";
import type { ScriptReply } from "./redis-commands.ts";
import { eventOf, eventOfMessage, spansOfText, stagesOfText, viewersOfText } from "./stored-format.ts";

/** What read-channel.lua answered. */
export function snapshotOf(reply: ScriptReply): ChannelSnapshot {
  const [, now, viewers, epoch, offset, epochs, heard, status, terminal, stages, attempt, oldest] =
    reply.map(textOrUndefined);
  return {
    position: { epoch: epoch ?? "", offset: Number(offset ?? 0) },
    lastStatus: status === undefined ? undefined : eventOfMessage(status),
    currentTerminal: terminal === undefined ? undefined : eventOfMessage(terminal),
    stages: stagesOfText(stages ?? ""),
    attemptId: attempt,
    spans: spansOfText(epochs ?? ""),
    oldestKept: Number(oldest ?? 1),
    viewers: viewers === undefined ? undefined : viewersOfText(viewers),
    heardAt: heard === undefined ? undefined : Number(heard),
    brokerNow: Number(now),
  };
}

/** What read-positions.lua answered. */
export function positionsOf([, lineage, ...positions]: ScriptReply): ChannelPosition[] {
  return Array.from({ length: positions.length / 2 }, (_, index) => ({
    epoch: String(positions[2 * index]),
    offset: Number(positions[2 * index + 1]),
    lineage: String(lineage),
  }));
}

/** What read-history.lua answered. */
export function pageOf([, resumed, epoch, offset, rows, oldest, epochs, more]: ScriptReply): HistoryPage {
  const newest = Number(offset);
  return {
    resumed: resumed === 1,
    position: { epoch: String(epoch), offset: newest },
    kept: { oldestKept: Number(oldest), newest, spans: spansOfText(String(epochs)) },
    events: (rows as HistoryRow[]).map(([, [flag, text]]) => eventOf(flag, text)),
    more: more === 1,
  };
}

type HistoryRow = readonly [id: string, fields: readonly [flag: string, text: string]];

function textOrUndefined(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}
