import { connect, type RedisTarget } from "../../../adapters/redis/redis-connection.ts";
import { isReply } from "../../../adapters/redis/redis-errors.ts";
import { reasonOf } from "../../../application/errors.ts";
import type { EventWay } from "../../../client/event-way.ts";
import type { PublishAnswer } from "../../../client/publish-answer.ts";
import { PublishRefused } from "../../../client/publisher.ts";

/** A way through the inbox of a Redis, where events wait for a gateway. */
export interface RedisWay extends EventWay {
  close(): void;
}

const NOT_BY_A_GATEWAY = { code: "redis", status: 0, issues: [] };
const READY_MS = 2_000;
const LONGEST_PAUSE_MS = 2_000;

/**
 * The events of one analysis through the inbox. An event whose try had no answer may be stored twice. A beat is the latest status once
 * more, at its own time. That somebody asked for the end of the analysis is read from its key.
 */
export function redisWay(target: RedisTarget, analysisId: string): RedisWay {
  const redis = connect(target, "run", (attempts) =>
    Math.min(50 * 2 ** Math.min(attempts, 10), LONGEST_PAUSE_MS),
  );
  let trouble: unknown = new Error("there is no connection to Redis");
  redis.on("error", (error) => {
    trouble = error;
  });
  let latest: string | undefined;

  async function ready(): Promise<boolean> {
    if (redis.status === "ready") return true;
    return new Promise((resolve) => {
      const settle = (is: boolean) => {
        clearTimeout(timer);
        redis.off("ready", onReady);
        resolve(is);
      };
      const onReady = () => settle(true);
      const timer = setTimeout(() => settle(false), READY_MS);
      redis.once("ready", onReady);
    });
  }

  async function add(events: readonly string[]): Promise<PublishAnswer> {
    if (!(await ready())) return retry(trouble, false);
    // On one connection and in this order: if one fails for want of an answer, those behind it do as well.
    const added = events.map((event) => redis.xadd("telltale:inbox", "*", "event", event));
    const asked = Promise.allSettled([redis.get(`telltale:cancel:${analysisId}`)]);
    try {
      await Promise.all(added);
    } catch (error) {
      if (!isReply(error) || !/^(NOPERM|WRONGTYPE|ERR)/.test(error.message)) return retry(error, true);
      return { type: "refused", error: new PublishRefused(error.message, NOT_BY_A_GATEWAY) };
    }
    // The events are there, whatever became of the question.
    const [cancel] = await asked;
    return {
      type: "accepted",
      body: { cancel_requested: cancel.status === "fulfilled" && cancel.value !== null },
    };
  }

  return {
    async send(events) {
      const answer = await add(events);
      if (answer.type === "accepted") latest = events.at(-1);
      return answer;
    },
    beat: () => add(latest === undefined ? [] : againNow(latest)),
    close: () => redis.disconnect(),
  };
}

function retry(error: unknown, mayHaveBeenStored: boolean): PublishAnswer {
  return { type: "retry", retryAfterMs: undefined, mayHaveBeenStored, cause: new Error(reasonOf(error)) };
}

/** Only a status: an end is said once. */
function againNow(text: string): string[] {
  const event = JSON.parse(text) as Record<string, unknown>;
  return event.event_type === "status_update"
    ? [JSON.stringify({ ...event, timestamp: new Date().toISOString() })]
    : [];
}
