import type { Step } from "./case-format.ts";
import { type ScriptedGateway, startGateway } from "./scripted-gateway.ts";
import { ClientFault, type Visit } from "./visit.ts";

/** A message of this machine to itself. A late one is seen a skipped second later, which does no harm. */
const ON_ITS_WAY_MS = 20;
const ANALYSIS = "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11";

/** The gateway of one run, its clock, the tokens of its client and who waits at its door. */
export class Stage {
  readonly analysisId = ANALYSIS;
  tokens: NonNullable<Step["tokens"]> = { fail: false };
  cancelAnswer: NonNullable<Step["cancel"]> | undefined;
  readonly #gateway: ScriptedGateway;
  readonly #patienceMs: number;
  readonly #waiting: Visit[] = [];
  readonly #all: Visit[] = [];
  #fault: ClientFault | undefined;
  #skippedMs = 0;
  #tokensGiven = 0;

  readonly #tokenSeconds: number;

  constructor(patienceSeconds: number, tokenSeconds: number) {
    this.#tokenSeconds = tokenSeconds;
    this.#patienceMs = patienceSeconds * 1_000;
    this.#gateway = startGateway({
      analysisId: ANALYSIS,
      arrived: (visit) => {
        this.#waiting.push(visit);
        this.#all.push(visit);
      },
      cancelAsked: (reason) => this.#cancelAsked(reason),
      fault: (fault) => {
        this.#fault ??= fault;
      },
    });
  }

  get url(): string {
    return this.#gateway.url;
  }

  /** The time of the gateway, which passes with the client's. */
  get timestamp(): string {
    return new Date(this.#now).toISOString();
  }

  get hasVisitor(): boolean {
    return this.#waiting.some(({ isOpen }) => isOpen);
  }

  get isAnyOpen(): boolean {
    return this.#all.some(({ isOpen }) => isOpen);
  }

  skipped(seconds: number): void {
    this.#skippedMs += seconds * 1_000;
  }

  /** Another token each time, of nobody's signature; undefined if there is none to be. */
  token(): string | undefined {
    if (this.tokens.fail) return undefined;
    this.#tokensGiven += 1;
    const exp = Math.floor(this.#now / 1_000) + this.#tokenSeconds;
    const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString("base64url");
    return `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: "alice", exp, jti: `${this.#tokensGiven}` })}.none`;
  }

  async arrival(): Promise<Visit> {
    await this.until(() => this.hasVisitor, "the client does not ask for the analysis");
    const index = this.#waiting.findIndex(({ isOpen }) => isOpen);
    return this.#waiting.splice(0, index + 1).at(-1) as Visit;
  }

  /** Throws what the client did against the rules of the wire. */
  check(): void {
    if (this.#fault) throw this.#fault;
  }

  async until(condition: () => boolean, otherwise: string): Promise<void> {
    await this.untilTold(async () => (condition() ? undefined : otherwise));
  }

  /** Gives a message on its way the time to arrive, and answers whether the condition holds then. */
  async soon(condition: () => boolean): Promise<boolean> {
    for (const began = performance.now(); performance.now() - began < ON_ITS_WAY_MS; await Bun.sleep(1))
      if (condition()) return true;
    return condition();
  }

  /** Asks for the difference until there is none, and throws ClientFault with the last one when the patience is over. */
  async untilTold(difference: () => Promise<string | undefined>): Promise<void> {
    const began = performance.now();
    for (let left = await difference(); left !== undefined; left = await difference()) {
      this.check();
      if (performance.now() - began > this.#patienceMs) throw new ClientFault(left);
      await Bun.sleep(2);
    }
  }

  /** Resolves when the promise has, with false, or with true when it is in vain. Throws as the promise does. */
  async within(promise: Promise<unknown>, otherwise: string, isInVain = () => false): Promise<boolean> {
    let isDone = false;
    let error: { readonly is: unknown } | undefined;
    promise.then(
      () => {
        isDone = true;
      },
      (is: unknown) => {
        error = { is };
      },
    );
    await this.until(() => isDone || error !== undefined || isInVain(), otherwise);
    if (error) throw error.is;
    return !isDone;
  }

  stop(): void {
    this.#gateway.stop();
  }

  get #now(): number {
    return Date.now() + this.#skippedMs;
  }

  #cancelAsked(reason: unknown): Response {
    const answer = this.cancelAnswer;
    if (answer === undefined || (reason ?? undefined) !== answer.reason) {
      this.#fault ??= new ClientFault(`it asks for the end, with the reason ${reason}`);
      return new Response(null, { status: 500 });
    }
    return Response.json(answer.code === undefined ? {} : { code: answer.code }, { status: answer.status });
  }
}
