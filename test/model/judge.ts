import type { AnalysisEvent, Notice } from "../../src/domain/analysis-event.ts";
import { type AnalysisState, emptyState, fold } from "../../src/domain/analysis-state.ts";
import { type AnalysisChannel, analysisIdOf } from "../../src/domain/channel.ts";
import type { PublishedEvent } from "../../src/domain/channel-record.ts";
import { CLOSE_CODES } from "../../src/domain/close-code.ts";
import { type EventPosition, formatEventId, parseEventId } from "../../src/domain/event-position.ts";
import {
  type Asked,
  type ModelConnection,
  NO_EPOCH,
  nothingSeen,
  type Received,
  type Stretch,
} from "./model-client.ts";
import type { ModelServer } from "./model-server.ts";

/** A promise that was broken. */
export class Broken extends Error {}

export function must(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Broken(promise);
}

/** The truth to judge by: the brokers that are alive now. One of them will prevail. */
export interface Truth {
  servers(): readonly ModelServer[];
  /** Whether any event ever got lost. */
  readonly everLost: boolean;
  mayWatch(user: string, channel: AnalysisChannel): boolean;
  /** Whether what this node knows of viewers may rightly be old. */
  mayLag(connection: ModelConnection): boolean;
}

/** Holds every frame that is sent to a client against the contract, as it is sent. */
export class Judge {
  readonly #truth: Truth;
  /** The text that each event_id ever named. */
  readonly #named = new Map<string, string>();

  constructor(truth: Truth) {
    this.#truth = truth;
  }

  /** Judges a frame as it is sent. The answer is to be called when the client takes the frame. */
  sent(connection: ModelConnection, frame: string): () => void {
    const message = JSON.parse(frame);
    const { many } = connection.asked;
    if (message.event_type === (many ? "subscribed" : "connection_established"))
      return this.#established(connection, message.resumed);
    if (message.event_type === "subscription_refused") return () => refused(connection, message.code);
    if (message.event_type === "analysis_state") return this.#state(connection, message);
    if (message.event_type === "notice") this.#notice(connection, message);
    if (message.event_id === undefined || message.event_type === "notice") return () => {};
    return this.#event(connection, message, frame);
  }

  /** Something happened to a broker: was anything lost that this client was sent, or goes on from? */
  look(connection: ModelConnection): void {
    const { asked, stretch } = connection;
    connection.everAllowed ||= this.#truth.mayWatch(asked.user, asked.channel);
    if (stretch === undefined) this.#judgePosition(connection);
    else stretch.lossSeen ||= this.#isLost(connection, stretch);
  }

  #judgePosition(connection: ModelConnection): void {
    const { after, channel } = connection.asked;
    for (const server of this.#truth.servers()) {
      if (!isGood(after, server, channel)) connection.everGone = true;
    }
  }

  #established(connection: ModelConnection, resumed: boolean | null): () => void {
    this.look(connection);
    const { asked, client, stretch: before } = connection;
    if (before === undefined) {
      must((resumed === null) === (asked.after === undefined), "resumed is null if no position was given");
      must(
        resumed !== true || !isNonsense(asked.after),
        "a client is not resumed from a position that never was",
      );
      must(!connection.cameInVain, "nobody is let in while the broker is away");
      must(resumed !== false || connection.everGone, "a good position is resumed");
    } else {
      must(resumed === false, "a watcher that starts afresh is told resumed: false");
      must(
        before.lossSeen || this.#holeIsTrimmed(connection, before),
        "a watcher whose events all survived is not disturbed",
      );
    }
    const logs = this.#truth.servers().map((server) => server.logOf(asked.channel));
    const beganAfter = logs.map((log) => log.at(-1)).filter((event) => event !== undefined);
    connection.stretches.push({
      resumed,
      first: before === undefined,
      beganAfter,
      nodeStoodAt: standsAt(connection),
      oldestKept: Math.max(...this.#truth.servers().map((server) => server.oldestKept(asked.channel))),
      events: [],
      state: undefined,
      lossSeen: false,
    });
    this.look(connection);
    const begun = nothingSeen(asked.channel);
    const knowsLatest = replayOf(connection) === "latest";
    return () => {
      if (resumed === false) client.lastSeen = undefined;
      if (resumed !== true) client.view = { ...begun, known: knowsLatest };
      else if (isStart(asked.after)) client.view = begun;
      else if (!asked.continues) client.view = { ...begun, known: false, complete: false };
    };
  }

  #state(
    connection: ModelConnection,
    { event_type: _, ...state }: AnalysisState & { event_type: string },
  ): () => void {
    const { stretch, asked, client } = connection;
    must(stretch !== undefined && replayOf(connection) === "state", "a state comes if it was asked for");
    must(stretch.state === undefined && stretch.events.length === 0, "once, and before the events");
    const position = parseEventId(state.last_event_id);
    must(position !== undefined, "the position of a state can be read");
    stretch.state = position;
    stretch.lossSeen ||= this.#isLost(connection, stretch);
    const isTrue = this.#truth
      .servers()
      .some((server) =>
        same(stateOf(server.logOf(asked.channel).slice(0, position.offset), asked.channel), state),
      );
    must(isTrue || this.#truth.everLost, "a state is that of all events up to its position");
    return () => {
      client.lastSeen = position;
      client.view = { state, known: true, complete: true };
    };
  }

  #notice({ asked, notices }: ModelConnection, { message, event_id: id }: Notice): void {
    must(message === `for ${asked.user}`, "a notice reaches its user and nobody else");
    must(id !== undefined && !notices.has(id), "a notice arrives once");
    notices.add(id);
  }

  #event(connection: ModelConnection, event: AnalysisEvent, text: string): () => void {
    const { stretch, asked, client } = connection;
    must(stretch !== undefined, "connection_established is the first frame");
    const position = parseEventId(event.event_id ?? "");
    must(position !== undefined, "an event_id can be read");
    const id = formatEventId(position);
    must((this.#named.get(id) ?? text) === text, "one position never names two payloads");
    this.#named.set(id, text);
    connection.everAllowed ||= this.#truth.mayWatch(asked.user, asked.channel);
    must(
      connection.everAllowed || this.#truth.mayLag(connection),
      "no event reaches a user who was never allowed to see it",
    );
    must(
      replayOf(connection) !== "state" || stretch.state !== undefined,
      "the state comes before the events",
    );
    const last = stretch.events.at(-1)?.position.offset ?? resumePoint(connection, stretch)?.offset ?? 0;
    must(position.offset > last, `offsets rise, from after the position resumed at (${id} after ${last})`);
    stretch.events.push({ position, text });
    stretch.lossSeen ||= this.#isMissing({ position, text }, asked.channel);
    // From the very first event on nothing of the state can be missing.
    const begunWhole = stretch.events.length === 1 && position.offset === 1;
    return () => {
      client.lastSeen = position;
      const { view } = client;
      const before = parseEventId(view.state.last_event_id)?.offset ?? 0;
      client.view = {
        state: fold(view.state, event),
        known: view.known || begunWhole,
        complete: view.complete && position.offset === before + 1,
      };
    };
  }

  #isLost({ asked }: ModelConnection, { events, resumed, first, state }: Stretch): boolean {
    const isStateLost = !this.#truth.servers().every((server) => survives(state, server, asked.channel));
    if (state !== undefined && isStateLost) return true;
    if (
      first &&
      resumed === true &&
      !this.#truth.servers().every((server) => survives(asked.after, server, asked.channel))
    )
      return true;
    return events.some((event) => this.#isMissing(event, asked.channel));
  }

  #isMissing({ position, text }: Received, channel: AnalysisChannel): boolean {
    return this.#truth.servers().some((server) => server.logOf(channel)[position.offset - 1]?.text !== text);
  }

  #holeIsTrimmed({ asked }: ModelConnection, stretch: Stretch): boolean {
    const last = stretch.events.at(-1)?.position.offset ?? 0;
    return this.#truth.servers().some((server) => server.oldestKept(asked.channel) - 1 > last);
  }
}

/** Closes the connection as the gateway does if the connection watches one analysis. */
function refused(connection: ModelConnection, code: string): void {
  const isFinal = code === "not_allowed" || code === "not_declared";
  connection.close((isFinal ? CLOSE_CODES.forbidden : CLOSE_CODES.tryAgainLater).code, code);
}

function standsAt({ node, asked }: ModelConnection): number {
  for (const feed of node.feeds.analyses())
    if (feed.channel === asked.channel) return feed.latest.position.offset;
  return 0;
}

/** The replay that a stretch began with; "resume" if a good position made the mode void. */
export function replayOf({ asked, stretch }: ModelConnection): Asked["mode"] | "resume" {
  if (stretch === undefined || stretch.first) return stretch?.resumed === true ? "resume" : asked.mode;
  if (asked.mode === "state") return "state";
  return asked.mode === "all" && asked.after === undefined ? "all" : "latest";
}

/** The position a stretch goes on from. */
export function resumePoint({ asked }: ModelConnection, stretch: Stretch): EventPosition | undefined {
  if (stretch.state !== undefined) return stretch.state;
  const resumes = stretch.first && stretch.resumed === true && asked.after !== "unreadable";
  return resumes ? (asked.after as EventPosition) : undefined;
}

/** Whether no history ever had the position. A node may learn late that a good one is gone, and says so then. */
function isNonsense(after: Asked["after"]): boolean {
  return after === "unreadable" || (after !== undefined && after.epoch === NO_EPOCH);
}

function isStart(after: unknown): boolean {
  return typeof after === "object" && after !== null && (after as EventPosition).offset === 0;
}

/** Whether the event at a position is on the broker's log, trimmed or not. */
function survives(
  after: EventPosition | "unreadable" | undefined,
  server: ModelServer,
  channel: AnalysisChannel,
): boolean {
  if (after === undefined || after === "unreadable") return false;
  return after.offset === 0 || server.logOf(channel)[after.offset - 1]?.position.epoch === after.epoch;
}

/** Section 3 of the contract, told from the log itself. */
function isGood(
  after: EventPosition | "unreadable" | undefined,
  server: ModelServer,
  channel: AnalysisChannel,
): boolean {
  if (after === undefined || after === "unreadable") return false;
  return survives(after, server, channel) && after.offset >= server.oldestKept(channel) - 1;
}

export function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The state that all events of a log come to. */
export function stateOf(log: readonly PublishedEvent[], channel: AnalysisChannel): AnalysisState {
  return log.reduce(
    (state, { text }) => fold(state, JSON.parse(text) as AnalysisEvent),
    emptyState(analysisIdOf(channel)),
  );
}
