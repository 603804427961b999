import { type AnalysisState, hasEnded } from "../../src/domain/analysis-state.ts";
import { analysisIdOf } from "../../src/domain/channel.ts";
import type { PublishedEvent } from "../../src/domain/channel-record.ts";
import { isStatusKind, isTerminalKind, reopens } from "../../src/domain/event-kind.ts";
import { must, replayOf, resumePoint, same, stateOf } from "./judge.ts";
import type { ModelConnection, Stretch } from "./model-client.ts";
import type { ModelServer } from "./model-server.ts";

/** Whether a watcher that is still connected ended with what the log says. */
export function checkWatcher(connection: ModelConnection, server: ModelServer, everLost: boolean): void {
  const { asked, stretch, client } = connection;
  must(stretch !== undefined, "a client is admitted or refused within 30 seconds");
  const log = server.logOf(asked.channel);
  const { events } = stretch;
  for (const { position, text } of events)
    must(
      log[position.offset - 1]?.text === text,
      `a watcher is told of an event that did not survive (${position.epoch}-${position.offset})`,
    );
  const point = resumePoint(connection, stretch);
  if (point !== undefined && point.offset > 0)
    must(
      log[point.offset - 1]?.position.epoch === point.epoch,
      "a watcher is told that its position did not survive",
    );
  checkSequence(connection, server, everLost);
  checkEnd(connection, log);
  const { view } = client;
  const truth = stateOf(log, asked.channel);
  if (asked.untilTerminal) {
    // Connections that were closed are not here any more. One that is open was sent no current terminal event.
    const sent = stateOf(
      events.map(({ position }) => log[position.offset - 1] as PublishedEvent),
      asked.channel,
    );
    const ended = view.known ? truth : sent;
    must(!hasEnded(ended), "until=terminal ends with the analysis");
  }
  if (!view.known) return;
  must(same(essence(view.state), essence(truth)), "a watcher ends with the state of the surviving log");
  if (view.complete) must(same(view.state.stages, truth.stages), "and with its stages");
}

/** The offset with which a stretch should begin at the latest. */
function beginningOf(
  connection: ModelConnection,
  stretch: Stretch,
  server: ModelServer,
  everLost: boolean,
): number {
  switch (replayOf(connection)) {
    case "resume":
    case "state":
      return (resumePoint(connection, stretch)?.offset ?? 0) + 1;
    case "all": {
      // After a loss the history is read anew, for a client that is slow to take the first frame: some may be trimmed by then.
      const oldestKept = everLost ? server.oldestKept(connection.asked.channel) : 1;
      return Math.max(stretch.oldestKept, oldestKept, 1);
    }
    case "none":
      return Math.max(0, ...stretch.beganAfter.map(({ position }) => position.offset)) + 1;
    case "latest":
      return 1;
  }
}

/** Every event after the beginning arrives, but for statuses that were conflated for a slow client. */
function checkSequence(connection: ModelConnection, server: ModelServer, everLost: boolean): void {
  const { stretch, asked } = connection;
  if (stretch === undefined) return;
  const log = server.logOf(asked.channel);
  const offsets = stretch.events.map(({ position }) => position.offset);
  const isLatest = replayOf(connection) === "latest";
  const beginning = beginningOf(connection, stretch, server, everLost);
  // A whole history that is sent anew is read when the client takes it: what was trimmed until then is not retained.
  const readLater = asked.mode === "all" && stretch.resumed === false && (everLost || !stretch.first);
  const isGone = readLater && server.oldestKept(asked.channel) > log.length;
  must(
    offsets.length > 0 || log.length < beginning || isGone,
    `something of ${beginning} to ${log.length} is sent`,
  );
  // The two events that `latest` begins with need not follow each other.
  const replayed = isLatest ? ([2, 1].find((count) => isLatestPair(log, offsets.slice(0, count))) ?? 0) : 0;
  let expected = readLater ? (offsets[0] ?? beginning) : Math.min(beginning, offsets[0] ?? beginning);
  for (const [index, offset] of offsets.entries()) {
    if (index >= replayed) {
      for (let skipped = expected; skipped < offset; skipped++) {
        must(asked.conflates && connection.slow, `no event is missing (${skipped} before ${offset})`);
        must(
          isLatest || everLost || skipped > stretch.nodeStoodAt,
          `a replay is never conflated (${skipped} up to ${stretch.nodeStoodAt})`,
        );
        must(mayBeSkipped(log, skipped, offsets), `only statuses with a newer one are left out (${skipped})`);
      }
    }
    expected = offset + 1;
  }
}

function checkEnd({ stretch, asked }: ModelConnection, log: readonly PublishedEvent[]): void {
  const last = stretch?.events.at(-1)?.position.offset;
  if (last !== undefined) {
    must(
      last === log.length,
      `the last event of ${analysisIdOf(asked.channel)} arrives (${last} of ${log.length})`,
    );
    return;
  }
  const point = stretch?.state ?? (stretch?.first && stretch.resumed === true ? asked.after : undefined);
  if (typeof point === "object") must(point.offset === log.length, "the events after the position arrive");
}

function isLatestPair(log: readonly PublishedEvent[], offsets: readonly number[]): boolean {
  const until = log.slice(0, offsets.at(-1));
  const status = until.findLast(({ kind }) => isStatusKind(kind));
  const terminal = until.findLast(({ kind }) => isTerminalKind(kind));
  const reopened =
    terminal && until.slice(terminal.position.offset).some((event) => event.reopens || reopens(event.kind));
  const pair = [status?.position.offset, reopened ? undefined : terminal?.position.offset];
  const distinct = [...new Set(pair.filter((offset) => offset !== undefined))].sort((a, b) => a - b);
  return same(distinct, offsets);
}

function mayBeSkipped(log: readonly PublishedEvent[], offset: number, sent: readonly number[]): boolean {
  const event = log[offset - 1];
  if (event === undefined || event.reopens || !isStatusKind(event.kind) || isTerminalKind(event.kind))
    return false;
  return sent.some((later) => later > offset && isStatusKind((log[later - 1] as PublishedEvent).kind));
}

/** The part of the state that a watcher knows however it began: events that name the attempt may be long gone. */
function essence({ stages: _, attempt_id: __, ...state }: AnalysisState) {
  return state;
}
