import { setTimeout as pause } from "node:timers/promises";
import { resultUpdate, statusUpdate } from "../support/publishing.ts";
import type { WorkerConnection, WorkerLane } from "../support/staged-broker.ts";
import type { Fate, Lane, Ledger, SentEvent } from "./ledger.ts";
import type { Stage } from "./stage.ts";

export interface PublisherOptions {
  readonly stage: Stage;
  readonly ledger: Ledger;
  readonly lane: Lane;
  readonly analysisId: string;
  readonly name: string;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Milliseconds between two events, about. */
  readonly everyMs: number;
}

/** The outcome of one attempt. */
type Outcome =
  | { readonly fate: "acknowledged" | "unknown"; readonly eventId?: string }
  /** To be sent again, as it was. `refused`: surely not stored. */
  | { readonly fate: "again"; readonly refused: boolean }
  /** Not to be sent again: nobody heard it, or a second one would be an event of its own. */
  | { readonly fate: "let_go" };

interface Said {
  readonly sequence: number;
  readonly terminal: boolean;
  readonly text: string;
}

const ANSWER_WITHIN_MS = 6_000;
/** The contract says 5 s; the rest is for a busy machine. */
const LATE_MS = 5_500;
const LONGEST_TRIAL_MS = 45_000;

/** A worker of a kind: sends numbered events, one after the other, each until it is taken. */
export class Publisher {
  readonly #options: PublisherOptions;
  #sequence = 0;
  /** The last that it said, oldest first. */
  readonly #said: Said[] = [];
  #seat: number;
  #state: "running" | "asked_to_stop" = "running";
  #worker: WorkerConnection | undefined;
  #done: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#seat = options.random() < 0.5 ? 0 : 1;
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Resolves when its last event is settled. */
  async stop(): Promise<void> {
    this.#state = "asked_to_stop";
    await this.#done;
  }

  /** The last word: after `stop`. */
  async finish(): Promise<void> {
    await this.#send(true, true);
    this.#worker?.close();
  }

  leave(): void {
    this.#worker?.close();
  }

  async #run(): Promise<void> {
    const { random, everyMs, lane } = this.#options;
    while (this.#state === "running") {
      // Now and then a terminal in the middle, which the next status reopens.
      await this.#send(random() < 0.04, false);
      if (lane === "bare") await this.#sayAgain();
      await pause(everyMs * 2 * random());
    }
  }

  /** Now and then a worker retries, or a task is begun anew: the same bytes as the last, or as one before. */
  async #sayAgain(): Promise<void> {
    const { random } = this.#options;
    if (random() >= 0.1) return;
    const back = random() < 0.3 ? 1 : 2 + Math.floor(3 * random());
    const said = this.#said.at(-back);
    if (said === undefined) return;
    const isRetry =
      this.#options.stage.broker.recognisesRetries && said.sequence === this.#said.at(-1)?.sequence;
    await this.#deliver(said, false, isRetry ? "retry" : "repeat");
  }

  async #send(terminal: boolean, last: boolean): Promise<void> {
    const { analysisId, name } = this.#options;
    const sequence = ++this.#sequence;
    const named = { analysis_id: analysisId, publisher: name, sequence };
    const text = JSON.stringify(
      terminal
        ? resultUpdate(named)
        : statusUpdate({ ...named, message: `${name} ${sequence}`, progress: (sequence % 100) / 100 }),
    );
    await this.#deliver({ sequence, terminal, text }, last);
  }

  async #deliver(said: Said, last: boolean, again?: "retry" | "repeat"): Promise<void> {
    const { lane, analysisId, name, ledger, random } = this.#options;
    const { sequence, terminal, text } = said;
    const key = crypto.randomUUID();
    let tries = 0;
    const sentAt = performance.now();
    let refusedSoFar = true;
    let end: { readonly fate: Fate; readonly eventId?: string } | undefined;
    while (end === undefined) {
      tries++;
      const outcome = await this.#attempt(text, key);
      if (outcome.fate === "let_go") end = { fate: "unknown" };
      else if (outcome.fate !== "again") end = outcome;
      else {
        refusedSoFar &&= outcome.refused;
        ledger.counts.retries++;
        const late = performance.now() - sentAt > LONGEST_TRIAL_MS;
        if (refusedSoFar && !last && random() < 0.1) end = { fate: "refused" };
        else if (late) end = { fate: "unknown" };
        else await pause(20 + 80 * random());
      }
    }
    const settledAt = performance.now();
    const sent: SentEvent = {
      ...{ lane, analysisId, publisher: name, sequence, terminal, sentAt, settledAt, tries },
      ...(again !== undefined && { again }),
      fate: end.fate,
      eventId: end.eventId,
    };
    ledger.sent.push(sent);
    // A message that may not have been published separates no two others.
    if (end.fate !== "acknowledged") this.#said.length = 0;
    else if (this.#said.push(said) > 10) this.#said.shift();
    if (last && lane === "bare" && end.fate === "unknown") {
      await pause(50);
      await this.#send(terminal, settledAt - sentAt < LONGEST_TRIAL_MS);
    }
  }

  #attempt(text: string, key: string): Promise<Outcome> {
    const { lane, analysisId } = this.#options;
    if (lane === "http") return this.#post(text, key);
    return this.#overBroker(lane, analysisId, text);
  }

  async #post(text: string, key: string): Promise<Outcome> {
    const { stage, analysisId, ledger } = this.#options;
    const began = performance.now();
    let answer: Response;
    let body: { event_ids?: string[]; duplicate?: boolean; code?: string };
    try {
      answer = await fetch(`${stage.seats[this.#seat]?.url}/v1/analyses/${analysisId}/events`, {
        method: "POST",
        headers: { Authorization: `Bearer ${stage.token}`, "Idempotency-Key": key },
        body: text,
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      body = (await answer.json()) as typeof body;
    } catch {
      // No answer: it may have been stored. The same key again, to the other gateway.
      this.#seat = 1 - this.#seat;
      return { fate: "again", refused: false };
    }
    const tookMs = performance.now() - began;
    if (tookMs > LATE_MS && !ledger.answersMayBeLate)
      ledger.faults.push(`answered ${answer.status} after ${Math.round(tookMs)} ms`);
    if (answer.status === 202) {
      if (body.duplicate) ledger.counts.duplicates++;
      return { fate: "acknowledged", eventId: body.event_ids?.[0] ?? "" };
    }
    if (answer.status !== 503) {
      ledger.faults.push(`answered ${answer.status} ${body.code}`);
      return { fate: "let_go" };
    }
    this.#seat = 1 - this.#seat;
    const refused = body.code === "broker_unavailable";
    if (refused) ledger.counts.unavailable++;
    else ledger.counts.unknown++;
    return { fate: "again", refused };
  }

  async #overBroker(lane: WorkerLane, analysisId: string, text: string): Promise<Outcome> {
    const { broker, workerSide } = this.#options.stage;
    this.#worker ??= broker.connectWorker(workerSide);
    switch (await this.#worker.publish(lane, analysisId, text)) {
      case "taken":
        return { fate: "acknowledged" };
      case "refused":
        return { fate: "again", refused: true };
      case "nobody":
        return { fate: "let_go" };
      case "unknown":
        // A second one would be an event of its own, unless the broker recognises a retry.
        if (lane === "bare" && broker.recognisesRetries) return { fate: "again", refused: false };
        return { fate: "let_go" };
    }
  }
}
