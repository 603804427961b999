import {
  type AnalysisWatch,
  type ConnectionStatus,
  type WatchedEvent,
  type WatchOptions,
  watchAnalysis,
} from "../../../src/client/watcher.ts";
import { turn } from "../../support/turn.ts";
import { CountingClock, type FakeSocket, socketFactory } from "./fake-socket.ts";

export const ANALYSIS = "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11";

/** A watcher on wires that exist in memory only, by a clock that the test drives. */
export interface WatchBench {
  readonly watch: AnalysisWatch;
  readonly clock: CountingClock;
  readonly sockets: FakeSocket[];
  readonly statuses: ConnectionStatus[];
  readonly events: WatchedEvent[];
  readonly log: string[];
  /** The newest socket, once the token has been fetched. */
  next(): Promise<FakeSocket>;
  status(): ConnectionStatus;
  /** Lets the pause before the next attempt pass, to the millisecond. */
  waitOut(): void;
}

export function startWatch(overrides: Partial<WatchOptions> = {}): WatchBench {
  const clock = new CountingClock();
  const { made, Socket } = socketFactory();
  const statuses: ConnectionStatus[] = [];
  const events: WatchedEvent[] = [];
  const log: string[] = [];
  let taken = 0;
  const watch = watchAnalysis({
    url: "https://gateway.example/telltale/",
    analysisId: ANALYSIS,
    token: () => "a.b.c",
    onEvent: (event) => {
      events.push(event);
      log.push(`event ${event.event_id}`);
    },
    onConnection: (status) => {
      statuses.push(status);
      log.push(status.kind);
    },
    onRestart: () => log.push("restart"),
    webSocket: Socket,
    clock,
    random: () => 0.5,
    ...overrides,
  });
  return {
    watch,
    clock,
    sockets: made,
    statuses,
    events,
    log,
    async next() {
      while (made.length <= taken) await turn();
      taken = made.length;
      return made.at(-1) as FakeSocket;
    },
    status: () => statuses.at(-1) as ConnectionStatus,
    waitOut() {
      const current = statuses.at(-1);
      if (current?.kind === "waiting") clock.advance(current.retryInMs);
    },
  };
}

export async function startLive(
  overrides: Partial<WatchOptions> = {},
): Promise<WatchBench & { socket: FakeSocket }> {
  const bench = startWatch(overrides);
  const socket = await bench.next();
  socket.establish();
  return { ...bench, socket };
}

export function status(eventId: string, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return { event_id: eventId, event_type: "status_update", analysis_id: ANALYSIS, ...fields };
}
