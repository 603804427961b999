import type { AnalysisEvent, StatusUpdate } from "../domain/analysis-event.ts";
import { stateFromSnapshot } from "../domain/analysis-state.ts";
import { type AnalysisChannel, analysisIdOf, isAnalysisChannel } from "../domain/channel.ts";
import { decodeEvent } from "../domain/decode-event.ts";
import { formatEventId } from "../domain/event-position.ts";
import { BrokerError, reasonOf } from "./errors.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import type { AppendOutcome, AppendRequest, ChannelSnapshot, PubSubPort } from "./ports/pub-sub-port.ts";
import type { IndexedAnalysis, RunningIndexPort } from "./ports/running-index-port.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";

/** How often to look for analyses that are due. */
export const LOOK_FOR_ABANDONED_MS = 2_000;
/** A gateway that appends to an analysis puts it into the index so often, in milliseconds. */
const PUT_AGAIN_MS = 20_000;
/** An analysis that has ended stays in the index for longer than that: the gateways that know it there put it in again. */
const ENDED_STAYS_MS = 2 * PUT_AGAIN_MS;
const LOOKED_AT_ONCE = 100;
const MOST_KNOWN = 20_000;
/** Longer than the gateways may differ in what they see, in milliseconds. */
const KEY_MS = 5 * 60_000;

interface AbandonedParts {
  readonly pubSub: PubSubPort;
  readonly running: RunningIndexPort;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** A running analysis whose worker was silent for so long is ended, in milliseconds. */
  readonly abandonAfterMs: number;
}

/**
 * Ends running analyses whose worker is lost, watched or not, by whichever gateways run. An index at the broker has them: each
 * gateway puts those in that it appends to, and looks at those that are due. The ordinary idempotency key makes one error of
 * the tries of all gateways.
 */
export class EndAbandoned {
  /** The event log, whose appends also put the analysis into the index. */
  readonly noting: PubSubPort;
  readonly #parts: AbandonedParts;
  /** When this gateway put an analysis into the index, in milliseconds since 1970; the oldest first. */
  readonly #known = new Map<AnalysisChannel, number>();
  #looking = false;
  #toldOfDenial = false;

  constructor(parts: AbandonedParts) {
    this.#parts = parts;
    this.noting = withAppend(parts.pubSub, (request) => this.#append(request));
  }

  /** It resolves once the index has the analysis too, or if the index cannot be reached. */
  async #append(request: AppendRequest): Promise<AppendOutcome> {
    const outcome = await this.#parts.pubSub.append(request);
    // If this gateway dies in between, nobody was told that it is stored: the repetition puts the analysis in.
    if (isAnalysisChannel(request.channel) && outcome.type !== "refused") await this.#put(request.channel);
    return outcome;
  }

  /** To be called every `LOOK_FOR_ABANDONED_MS`. Never rejects; does nothing while the look before is still out. */
  async execute(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const { running, clock } = this.#parts;
      for (let isMore = true; isMore; ) {
        const due = await running.due(clock.now(), LOOKED_AT_ONCE);
        await Promise.all(due.map((entry) => this.#look(entry)));
        isMore = due.length === LOOKED_AT_ONCE;
      }
    } catch (error) {
      this.#failed("abandoned analyses were not looked for", error);
    } finally {
      this.#looking = false;
    }
  }

  /** Never rejects: an event is stored all the same, and the next one tries again. */
  async #put(channel: AnalysisChannel): Promise<void> {
    const { running, clock, abandonAfterMs, telemetry } = this.#parts;
    const now = clock.now();
    const before = this.#known.get(channel);
    if (before !== undefined && Math.abs(now - before) < PUT_AGAIN_MS) return;
    this.#known.delete(channel);
    this.#known.set(channel, now);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    try {
      if (await running.put({ channel, dueAt: now + abandonAfterMs })) return;
      telemetry.log("warn", "so many analyses run that no more are ended if their worker is lost");
    } catch (error) {
      this.#known.delete(channel);
      this.#failed("a running analysis was not noted", error);
    }
  }

  /** A broker that is away says so elsewhere. A permission that is missing is told once. */
  #failed(message: string, error: unknown): void {
    const isDenied = error instanceof BrokerError && error.trouble.cause === "permission";
    const level = isDenied && !this.#toldOfDenial ? "warn" : "debug";
    this.#toldOfDenial ||= isDenied;
    this.#parts.telemetry.log(level, message, { reason: reasonOf(error) });
  }

  /** One that cannot be judged now does not hold up the others. Rejects if the index cannot be reached. */
  async #look(entry: IndexedAnalysis): Promise<void> {
    const { running, clock, telemetry } = this.#parts;
    try {
      await this.#judge(entry);
    } catch (error) {
      const { channel } = entry;
      telemetry.log("debug", "an analysis could not be judged yet", { channel, reason: reasonOf(error) });
      await running.settle(entry, clock.now() + LOOK_FOR_ABANDONED_MS);
    }
  }

  async #judge(entry: IndexedAnalysis): Promise<void> {
    const { pubSub, running, clock, abandonAfterMs } = this.#parts;
    const snapshot = await pubSub.snapshot(entry.channel);
    const { heardAt = snapshot.brokerNow, brokerNow } = snapshot;
    const silentMs = brokerNow - heardAt;
    const status = statusOf(entry.channel, snapshot);
    if (status === "running" && silentMs >= abandonAfterMs) await this.#end(entry.channel, snapshot);
    // One that waits in a queue begins to run with an event, which puts it in.
    const isGone = status === "unknown" || silentMs >= ENDED_STAYS_MS;
    if (status !== "running") return running.settle(entry, isGone ? undefined : clock.now() + abandonAfterMs);
    await running.settle(entry, clock.now() + Math.max(abandonAfterMs - silentMs, 0));
  }

  async #end(channel: AnalysisChannel, { position, heardAt = 0 }: ChannelSnapshot): Promise<void> {
    const { pubSub, clock, telemetry, abandonAfterMs } = this.#parts;
    const silentSince = new Date(heardAt).toISOString();
    const seconds = abandonAfterMs / 1_000;
    const event = {
      event_type: "error",
      error_code: "worker_lost",
      error_message: `the worker gave no sign of life for ${seconds} seconds`,
      error_details: { silent_since: silentSince },
    };
    const decoded = decodeEvent(JSON.stringify(event), { channel, now: clock.now() });
    if (!decoded.ok) throw new Error("the gateway's own event breaks the rules");
    // Every gateway that saw this last event makes the same key.
    const name = `worker_lost ${formatEventId(position)}`;
    await pubSub.append({
      channel,
      events: [decoded.encoded],
      deduplicate: { by: "key", name, scope: "channel", windowMs: KEY_MS, rememberMs: KEY_MS },
    });
    telemetry.log("info", "an analysis was ended because its worker is lost", {
      channel,
      silent_since: silentSince,
    });
  }
}

function statusOf(
  channel: AnalysisChannel,
  { lastStatus, currentTerminal, stages, position }: ChannelSnapshot,
) {
  const parsed = (text: string | undefined) => (text === undefined ? undefined : JSON.parse(text));
  return stateFromSnapshot({
    analysisId: analysisIdOf(channel),
    lastStatus: parsed(lastStatus?.text) as StatusUpdate | undefined,
    terminal: parsed(currentTerminal?.text) as AnalysisEvent | undefined,
    stages,
    lastEventId: formatEventId(position),
  }).status;
}

/** The same event log with another `append`. */
function withAppend(pubSub: PubSubPort, append: PubSubPort["append"]): PubSubPort {
  return new Proxy(pubSub, {
    get(target, name) {
      if (name === "append") return append;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
