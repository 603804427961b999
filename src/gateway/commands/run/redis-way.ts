import type { ClusterTarget, RedisTarget } from "../../../adapters/redis/redis-connection.ts";
import { isReply, troubleOf } from "../../../adapters/redis/redis-errors.ts";
import { cancelCopyKey } from "../../../adapters/redis/redis-keys.ts";
import { RedisLink } from "../../../adapters/redis/redis-link.ts";
import { RedisServers } from "../../../adapters/redis/redis-servers.ts";
import { sendCommand } from "../../../adapters/redis/send-command.ts";
import { SystemClock } from "../../../adapters/system/system-clock.ts";
import { QuietTelemetry } from "../../../adapters/telemetry/quiet-telemetry.ts";
import { BrokerUnavailable, reasonOf } from "../../../application/errors.ts";
import { ENTRY_KEY, INBOX } from "../../../application/ports/inbox-port.ts";
import type { EventWay } from "../../../client/event-way.ts";
import type { PublishAnswer } from "../../../client/publish-answer.ts";
import { PublishRefused } from "../../../client/publisher.ts";
import { isEnd } from "../../../domain/analysis-state.ts";
import { type AnalysisId, analysisChannel } from "../../../domain/channel.ts";

/** A way through the inbox of a Redis, where events wait for a gateway. */
export interface RedisWay extends EventWay {
  /** Beats by no status any more: it would be out of date. */
  withdraw(): void;
  close(): void;
}

interface RedisWayOptions {
  readonly target: RedisTarget | ClusterTarget;
  readonly analysisId: AnalysisId;
  /** The name of this run, if it has one: a request to end another run is not for it. */
  readonly attemptId?: string | undefined;
}

const NOT_BY_A_GATEWAY = { code: "redis", status: 0, issues: [] };

/**
 * The events of one analysis through the inbox of one Redis, of the primary that sentinels name, or of a Cluster. Each event has a
 * key, so that one whose answer was lost counts once. A beat is the latest status once more, at its own time. That somebody asked for the end of the
 * analysis is read from its key; once the end is in the inbox, the key is removed, since no gateway may be there to do that.
 */
export function redisWay({ target, analysisId, attemptId }: RedisWayOptions): RedisWay {
  const [clock, telemetry] = [new SystemClock(), new QuietTelemetry()];
  const servers = new RedisServers({ target, clock, telemetry });
  const primaries = servers.each((primary) => {
    const links = servers.linksOf(primary);
    return new RedisLink({ target: primary.target, clock, telemetry, purpose: "run", links, onReady() {} });
  });
  const requestKey = cancelCopyKey(analysisChannel(analysisId)) ?? "";
  let latest: string | undefined;
  let [isCancelled, isWithdrawn] = [false, false];
  /** How many events of the latest call are stored. */
  let stored = { key: "", count: 0 };

  /** On one connection and in this order: if one fails for want of an answer, those behind it do as well. */
  const addAll = (events: readonly string[]) =>
    primaries.at(INBOX, (link) =>
      sendCommand(link, asItIs, async (redis) => {
        const { key, count } = stored;
        const added = events
          .slice(count)
          .map((event, n) => redis.xadd(INBOX, "*", "event", event, ENTRY_KEY, `${key}:${count + n}`));
        for (const outcome of await Promise.allSettled(added)) {
          if (outcome.status === "rejected") throw outcome.reason;
          stored.count += 1;
        }
      }),
    );

  const request = () =>
    primaries.at(requestKey, (link) => sendCommand(link, asItIs, (redis) => redis.get(requestKey)));

  const removeRequest = () =>
    primaries.at(requestKey, (link) => sendCommand(link, asItIs, (redis) => redis.del(requestKey)));

  async function add(events: readonly string[], key: string): Promise<PublishAnswer> {
    if (key !== stored.key) stored = { key, count: 0 };
    const asked = Promise.allSettled([request()]);
    try {
      await addAll(events);
    } catch (error) {
      return answerTo(error);
    }
    // The events are there, whatever became of the question.
    const [found] = await asked;
    if (found.status === "fulfilled") isCancelled ||= isForRun(found.value, attemptId);
    // A user may lack the permission: a gateway removes it as well.
    if (isCancelled && events.some((text) => isEndOfRun(eventIn(text))))
      await Promise.allSettled([removeRequest()]);
    return { type: "accepted", body: { cancel_requested: isCancelled } };
  }

  return {
    async send(events, key) {
      const answer = await add(events, key);
      if (answer.type === "accepted" && !isWithdrawn) latest = events.at(-1);
      return answer;
    },
    beat: () => add(latest === undefined ? [] : againNow(latest), crypto.randomUUID()),
    withdraw() {
      isWithdrawn = true;
      latest = undefined;
    },
    close: () => primaries.close(),
  };
}

const asItIs = (error: unknown) => error;

function answerTo(error: unknown): PublishAnswer {
  const cause = error instanceof BrokerUnavailable ? undefined : troubleOf(error).cause;
  if (isReply(error) && (cause === "permission" || cause === "fault"))
    return { type: "refused", error: new PublishRefused(error.message, NOT_BY_A_GATEWAY) };
  const mayHaveBeenStored = !(error instanceof BrokerUnavailable || isReply(error));
  return {
    type: "retry",
    retryAfterMs: undefined,
    mayHaveBeenStored,
    cause: new Error(reasonOf(error), { cause: error }),
  };
}

/** Whether a request, as its key has it, is for a run of this name. One for a run without a name is for each. */
function isForRun(request: string | null, attemptId: string | undefined): boolean {
  if (request === null) return false;
  const asked = attemptIn(request);
  return asked === undefined || attemptId === undefined || asked === attemptId;
}

function attemptIn(request: string): string | undefined {
  try {
    const { attempt_id } = JSON.parse(request) as { readonly attempt_id?: unknown };
    return typeof attempt_id === "string" ? attempt_id : undefined;
  } catch {
    // Somebody set the key by hand: it is there, which says enough.
    return undefined;
  }
}

function eventIn(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}

function isEndOfRun({ event_type, current_stage }: Record<string, unknown>): boolean {
  return event_type !== "status_update" || isEnd(current_stage);
}

/** Only a status that ends nothing: an end is said once. */
function againNow(text: string): string[] {
  const event = eventIn(text);
  if (isEndOfRun(event)) return [];
  return [JSON.stringify({ ...event, timestamp: new Date().toISOString() })];
}
