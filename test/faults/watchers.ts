import { type AnalysisWatch, watch } from "../../src/client/sdk.ts";
import { LineWatcher } from "./line-watcher.ts";
import { type Payloads, Sighting } from "./sighting.ts";
import type { Stage } from "./stage.ts";

/** Somebody who watches and comes back by itself, as any client should, until told to leave. */
export interface Watcher {
  readonly sightings: readonly Sighting[];
  start(): void;
  leave(): void;
}

export interface WatcherOptions {
  readonly stage: Stage;
  readonly payloads: Payloads;
  readonly analysisId: string;
  readonly name: string;
  /** Which gateway it goes to first. */
  readonly seat: number;
  /** The address of another that is no seat of the stage. */
  readonly base?: string;
  /** Milliseconds of silence after which it tries elsewhere; without it the connection is trusted for ever. */
  readonly patienceMs?: number;
  readonly conflated?: boolean;
  /** Milliseconds after which it leaves and comes back for no reason. */
  readonly hopMs?: () => number;
  /** Reads the state first, and watches from there. */
  readonly fetchFirst?: boolean;
}

/** `/ws/analysis/{id}`. */
export class SocketWatcher extends LineWatcher implements Watcher {
  readonly #options: WatcherOptions;
  readonly #sighting: Sighting;
  #fetched: boolean;

  constructor(options: WatcherOptions) {
    super(options);
    this.#options = options;
    const { analysisId, name, payloads, conflated } = options;
    this.#sighting = new Sighting(analysisId, name, payloads, conflated);
    this.#fetched = options.fetchFirst !== true;
  }

  get sightings(): readonly Sighting[] {
    return [this.#sighting];
  }

  protected async connect(base: string, signal: AbortSignal): Promise<number> {
    const { stage, analysisId, conflated, hopMs } = this.#options;
    const sighting = this.#sighting;
    if (!this.#fetched) {
      const headers = { Authorization: `Bearer ${stage.token}` };
      const answer = await fetch(`${base}/v1/analyses/${analysisId}`, { headers, signal });
      if (answer.status !== 200) return 100;
      sighting.base = ((await answer.json()) as { last_event_id: string }).last_event_id;
      sighting.start = "none";
      this.#fetched = true;
    }
    const given = sighting.position;
    const query = new URLSearchParams({
      ...{ token: stage.token, replay: "all", conflate: conflated ? "status" : "none" },
      ...(given === undefined ? {} : { last_event_id: given }),
    });
    let established = 0;
    return this.socket(
      `${base.replace("http", "ws")}/ws/analysis/${analysisId}?${query}`,
      signal,
      hopMs?.(),
      {
        frame: (text, type, frame) => {
          if (type === "connection_established") {
            const again = established++ > 0;
            if (frame.resumed === false) {
              sighting.startsAfresh(again && given !== undefined ? "latest" : "all");
            } else if (again) sighting.faults.push(`established twice with resumed ${frame.resumed}`);
            else if (frame.resumed === null && given !== undefined)
              sighting.faults.push("position not looked at");
          } else if (type !== "heartbeat" && type !== "notice") sighting.event(text);
        },
      },
    );
  }
}

/** `/ws`: several analyses on one socket. */
export class ManyWatcher extends LineWatcher implements Watcher {
  readonly #options: WatcherOptions;
  readonly sightings: readonly Sighting[];

  constructor(options: WatcherOptions, analysisIds: readonly string[]) {
    super(options);
    this.#options = options;
    const { name, payloads } = options;
    this.sightings = analysisIds.map((id) => new Sighting(id, name, payloads));
  }

  protected async connect(base: string, signal: AbortSignal): Promise<number> {
    const { stage, hopMs } = this.#options;
    const given = new Map<string, string | undefined>();
    const answered = new Set<string>();
    const byId = new Map(this.sightings.map((sighting) => [sighting.analysisId, sighting]));
    const query = new URLSearchParams({ token: stage.token, conflate: "none" });
    return this.socket(`${base.replace("http", "ws")}/ws?${query}`, signal, hopMs?.(), {
      frame: (text, type, frame, socket) => {
        const subscribe = ({ analysisId: analysis_id, position }: Sighting) => {
          given.set(analysis_id, position);
          answered.delete(analysis_id);
          const from = position === undefined ? {} : { last_event_id: position };
          socket.send(JSON.stringify({ type: "subscribe", analysis_id, replay: "all", ...from }));
        };
        if (type === "connection_established") {
          for (const sighting of this.sightings) subscribe(sighting);
          return;
        }
        if (type === "heartbeat" || type === "notice") return;
        const sighting = byId.get(String(frame.analysis_id));
        if (sighting === undefined) return;
        if (type === "subscription_refused") {
          setTimeout(() => {
            if (socket.readyState === WebSocket.OPEN) subscribe(sighting);
          }, 200);
        } else if (type === "subscribed") {
          const again = answered.has(sighting.analysisId);
          answered.add(sighting.analysisId);
          const hadPosition = given.get(sighting.analysisId) !== undefined;
          if (frame.resumed === false) sighting.startsAfresh(again && hadPosition ? "latest" : "all");
          else if (again) sighting.faults.push(`subscribed twice with resumed ${frame.resumed}`);
        } else sighting.event(text);
      },
    });
  }
}

/** Server-sent events. */
export class StreamWatcher extends LineWatcher implements Watcher {
  readonly #options: WatcherOptions;
  readonly #sighting: Sighting;

  constructor(options: WatcherOptions) {
    super(options);
    this.#options = options;
    this.#sighting = new Sighting(options.analysisId, options.name, options.payloads);
  }

  get sightings(): readonly Sighting[] {
    return [this.#sighting];
  }

  protected async connect(base: string, signal: AbortSignal): Promise<number> {
    const { stage, analysisId } = this.#options;
    const sighting = this.#sighting;
    const given = sighting.position;
    const answer = await fetch(`${base}/v1/analyses/${analysisId}/events?replay=all&conflate=none`, {
      headers: {
        Authorization: `Bearer ${stage.token}`,
        Accept: "text/event-stream",
        ...(given === undefined ? {} : { "Last-Event-ID": given }),
      },
      signal,
    });
    if (answer.status !== 200 || answer.body === null) return 200;
    const decoder = new TextDecoder();
    let rest = "";
    let established = 0;
    for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array>) {
      this.heard();
      rest += decoder.decode(bytes, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data === undefined) continue;
        const type = /^event: (.*)$/m.exec(block)?.[1];
        if (type === "connection_established") {
          const again = established++ > 0;
          const { resumed } = JSON.parse(data) as { resumed: boolean | null };
          if (resumed === false) sighting.startsAfresh(again && given !== undefined ? "latest" : "all");
        } else if (!NO_EVENTS.includes(type ?? "")) sighting.event(data);
      }
    }
    return 20;
  }
}

/** The types that carry no position: frames of the protocol, and notices. */
const NO_EVENTS = ["notice", "state_changed", "cancel_requested", "closing"];

/** `GET /events?wait=`, for networks that let nothing else through. */
export class PollWatcher extends LineWatcher implements Watcher {
  readonly #options: WatcherOptions;
  readonly #sighting: Sighting;

  constructor(options: WatcherOptions) {
    super(options);
    this.#options = options;
    this.#sighting = new Sighting(options.analysisId, options.name, options.payloads);
  }

  get sightings(): readonly Sighting[] {
    return [this.#sighting];
  }

  protected async connect(base: string, signal: AbortSignal): Promise<number> {
    const { stage, analysisId } = this.#options;
    const sighting = this.#sighting;
    for (;;) {
      const after = sighting.position;
      const query = new URLSearchParams({
        wait: "2",
        limit: "1000",
        ...(after === undefined ? {} : { after }),
      });
      const answer = await fetch(`${base}/v1/analyses/${analysisId}/events?${query}`, {
        headers: { Authorization: `Bearer ${stage.token}` },
        signal,
      });
      if (answer.status !== 200) return 200;
      const text = await answer.text();
      if (signal.aborted) return 0;
      this.heard();
      const { events, resumed } = JSON.parse(text) as { events: unknown[]; resumed: boolean | null };
      if (resumed === false && after !== undefined) sighting.startsAfresh("all");
      // Encoded again as it came: nothing in these events is written in more than one way.
      for (const event of events) sighting.event(JSON.stringify(event));
    }
  }
}

/** The client that Telltale ships. */
export class ShippedWatcher implements Watcher {
  readonly sightings: readonly Sighting[];
  readonly #options: WatcherOptions;
  #watch: AnalysisWatch | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    const sighting = new Sighting(options.analysisId, options.name, options.payloads, true);
    sighting.start = "none";
    this.sightings = [sighting];
  }

  start(): void {
    const { stage, analysisId, seat } = this.#options;
    const [sighting] = this.sightings;
    this.#watch = watch({
      url: stage.seats[seat]?.url ?? "",
      analysisId,
      token: () => stage.token,
      conflate: "status",
    });
    if (sighting !== undefined) void read(this.#watch, sighting);
  }

  leave(): void {
    this.#watch?.close();
  }
}

async function read(watching: AnalysisWatch, sighting: Sighting): Promise<void> {
  let isFirst = true;
  try {
    for await (const event of watching) {
      if (event.event_type === "analysis_state") {
        if (!isFirst) sighting.startsAfresh("none");
        isFirst = false;
        sighting.base = event.last_event_id;
      } else if (event.event_type !== "notice" && "event_id" in event) {
        // Encoded again as it came, but that a stream of events has the type first: nothing else is written in more than one way.
        const { event_id, ...others } = event;
        sighting.event(JSON.stringify({ event_id, ...others }));
      }
    }
  } catch (error) {
    sighting.faults.push(`refused: ${error}`);
  }
}
