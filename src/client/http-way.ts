import type { EventWay } from "./event-way.ts";
import type { Lanes } from "./lanes.ts";
import { type AttemptSettings, type PublishRequest, sendOnce } from "./publish-attempts.ts";

interface HttpWayOptions {
  /** Address of the gateway, without a slash at its end. */
  readonly base: string;
  readonly analysisId: string;
  /** The name of this run, if it has one: beats of a run that another has replaced count for nothing. */
  readonly attemptId?: string | undefined;
  readonly settings: AttemptSettings;
  /** Shared with the other calls of the publisher, so that one analysis has one request at a time. */
  readonly lanes: Lanes;
}

/** The events of one analysis over HTTP. */
export function httpWay({ base, analysisId, attemptId, settings, lanes }: HttpWayOptions): EventWay {
  const path = `${base}/v1/analyses/${analysisId}`;
  const post = (url: string, body: string, headers: PublishRequest["headers"], expects: 200 | 202) =>
    lanes.run(`analysis:${analysisId}`, () =>
      sendOnce({ method: "POST", url, body, headers, expects }, settings),
    );
  return {
    send: (events, key) => post(`${path}/events`, `[${events.join(",")}]`, { "Idempotency-Key": key }, 202),
    beat: () => post(`${path}/heartbeat`, JSON.stringify({ attempt_id: attemptId }), {}, 200),
  };
}
