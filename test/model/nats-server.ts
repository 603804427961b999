import type {
  EventStream,
  Publication,
  PublicationAnswer,
  RangeTerms,
  StoredMessage,
} from "../../src/adapters/nats/event-stream.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../src/application/errors.ts";

/** The stream recognises ids for so long, in milliseconds. */
export const KEYS_KNOWN_MS = 5_000;

interface State {
  readonly messages: readonly StoredMessage[];
  readonly ids: ReadonlyMap<string, { readonly sequence: number; readonly at: number }>;
  readonly sequence: number;
}

/** A request on its way: sent, then done by the server, then answered. A step of the model takes it further. */
interface Request {
  readonly process: number;
  /** Does it at the server. */
  readonly carryOut: () => unknown;
  readonly answer: (result: unknown) => void;
  readonly fail: (error: unknown) => void;
  /** When its node gives it up, though it goes on; undefined if it is no publication. */
  readonly givenUpAt: number | undefined;
  /** Shared with its copies: their answers go to the same subject, so that the first one answers. */
  readonly fate: Fate;
  isDone: boolean;
  isLost: boolean;
}

interface Fate {
  first: { readonly result: unknown } | undefined;
  isSettled: boolean;
}

/** A NATS of the model: one stream, whose requests and answers a test moves one by one. */
export class SimulatedNats {
  now = 1_000_000;
  #process = 1;
  #state: State = { messages: [], ids: new Map(), sequence: 0 };
  #saved: State | undefined;
  #requests: Request[] = [];

  get lineage(): string {
    return `process${this.#process}`;
  }

  get messages(): readonly StoredMessage[] {
    return this.#state.messages;
  }

  get isQuiet(): boolean {
    return this.#requests.length === 0;
  }

  send(carryOut: () => unknown, givenUpAt?: number): Promise<unknown> {
    return new Promise((answer, fail) => {
      const fate: Fate = { first: undefined, isSettled: false };
      const begun = { fate, isDone: false, isLost: false };
      this.#requests.push({ process: this.#process, carryOut, answer, fail, givenUpAt, ...begun });
    });
  }

  /** Takes one request a step further. */
  advanceRequest(pick: number): void {
    const request = this.#picked(pick);
    if (request === undefined) return;
    if (!request.isDone) {
      request.isDone = true;
      const result = request.carryOut();
      request.fate.first ??= { result };
      if (request.fate.isSettled) this.#remove(request);
    } else {
      this.#remove(request);
      this.#settle(request, () => request.answer(request.fate.first?.result));
    }
  }

  /** The answer to a request will never come, whether the server carries it out or not. */
  loseAnswer(pick: number): void {
    const request = this.#picked(pick);
    if (request === undefined) return;
    request.isLost = true;
    if (request.givenUpAt === undefined) {
      this.#remove(request);
      this.#settle(request, () => request.fail(new BrokerUnavailable("no answer")));
    }
  }

  /** The bytes of a request arrive once more. */
  repeat(pick: number): void {
    const request = this.#picked(pick);
    if (request?.givenUpAt === undefined) return;
    this.#requests.push({ ...request, isDone: false, isLost: false });
  }

  pass(milliseconds: number): void {
    this.now += milliseconds;
    for (const request of [...this.#requests]) {
      if (request.givenUpAt === undefined || this.now < request.givenUpAt) continue;
      this.#settle(request, () => request.fail(new OutcomeUnknown("no answer")));
      // One that the server has not seen yet still reaches it.
      if (request.isDone || request.process !== this.#process) this.#remove(request);
    }
  }

  save(): void {
    this.#saved = this.#state;
  }

  /** Ends the server and starts it, with what it has or with what it had when it was saved. */
  restart(asSaved: boolean): void {
    if (asSaved && this.#saved !== undefined) this.#state = this.#saved;
    this.#process++;
    for (const request of [...this.#requests]) {
      if (request.givenUpAt !== undefined) continue;
      this.#remove(request);
      this.#settle(request, () => request.fail(new BrokerUnavailable("the connection broke")));
    }
  }

  store({ subject, text, expected, id }: Publication): PublicationAnswer {
    const { messages, ids, sequence: last } = this.#state;
    const known = id === undefined ? undefined : ids.get(id);
    if (known !== undefined && this.now - known.at < KEYS_KNOWN_MS)
      return { type: "duplicate", sequence: known.sequence };
    const lastOfSubject = messages.findLast((message) => message.subject === subject)?.sequence ?? 0;
    if (lastOfSubject !== expected) return { type: "conflict" };
    const sequence = last + 1;
    this.#state = {
      messages: [...messages, { sequence, subject, at: this.now, text }],
      ids: id === undefined ? ids : new Map(ids).set(id, { sequence, at: this.now }),
      sequence,
    };
    return { type: "stored", sequence, isInTime: true };
  }

  removeBefore(subject: string, sequence: number): void {
    const stay = (message: StoredMessage) => message.subject !== subject || message.sequence >= sequence;
    this.#state = { ...this.#state, messages: this.#state.messages.filter(stay) };
  }

  /** The store loses a message, which the server does not notice. */
  lose(sequence: number): void {
    const messages = this.#state.messages.filter((message) => message.sequence !== sequence);
    this.#state = { ...this.#state, messages };
  }

  /** One of the requests on a connection that is open. */
  #picked(pick: number): Request | undefined {
    const open = this.#requests.filter(
      ({ process, isDone, isLost }) => process === this.#process && (!isDone || !isLost),
    );
    return open[pick % Math.max(1, open.length)];
  }

  #remove(request: Request): void {
    this.#requests = this.#requests.filter((other) => other !== request);
  }

  #settle(request: Request, settle: () => void): void {
    if (!request.fate.isSettled) settle();
    request.fate.isSettled = true;
  }
}

/** The stream as one node sees it: its clock shows `behindMs` less than the server's. */
export class SimulatedStream implements EventStream {
  readonly #nats: SimulatedNats;
  readonly #behindMs: number;
  /** Whether every request is answered at once, without a step of the model. */
  readonly #atOnce: boolean;

  constructor(nats: SimulatedNats, behindMs: number, atOnce = false) {
    this.#nats = nats;
    this.#behindMs = behindMs;
    this.#atOnce = atOnce;
  }

  get lineage(): string {
    return this.#nats.lineage;
  }

  async refreshLineage(): Promise<void> {}

  now(): number {
    return this.#nats.now - this.#behindMs;
  }

  last(subject: string): Promise<StoredMessage | undefined> {
    return this.#ask(() => this.#nats.messages.findLast((message) => message.subject === subject));
  }

  at(sequence: number): Promise<StoredMessage | undefined> {
    return this.#ask(() => this.#nats.messages.find((message) => message.sequence === sequence));
  }

  from(subject: string, sequence: number): Promise<StoredMessage | undefined> {
    return this.#ask(() =>
      this.#nats.messages.find((message) => isOf(subject, message.subject) && message.sequence >= sequence),
    );
  }

  async range(
    subject: string,
    { from: sequence }: RangeTerms,
    take: (message: StoredMessage) => boolean,
  ): Promise<void> {
    const found = await this.#ask(() =>
      this.#nats.messages.filter((message) => message.subject === subject && message.sequence >= sequence),
    );
    for (const message of found) if (!take(message)) return;
  }

  async publish(publication: Publication, lineage: string): Promise<PublicationAnswer> {
    const { deadline } = publication;
    if (lineage !== this.lineage || this.now() >= deadline) throw new BrokerUnavailable("not sent");
    const givenUpAt = deadline + this.#behindMs;
    const answer = await this.#ask(() => this.#nats.store(publication), givenUpAt);
    return answer.type === "stored" ? { ...answer, isInTime: this.#nats.now < deadline } : answer;
  }

  async removeBefore(subject: string, sequence: number): Promise<void> {
    await this.#ask(() => this.#nats.removeBefore(subject, sequence));
  }

  async #ask<Answer>(carryOut: () => Answer, givenUpAt?: number): Promise<Answer> {
    return this.#atOnce ? carryOut() : ((await this.#nats.send(carryOut, givenUpAt)) as Answer);
  }
}

/** Whether a subject is the one that was asked for, or one of those below it. */
function isOf(asked: string, subject: string): boolean {
  return asked.endsWith(".>") ? subject.startsWith(asked.slice(0, -1)) : subject === asked;
}
