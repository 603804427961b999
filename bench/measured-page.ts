import { watch } from "../src/client/sdk.ts";
import { runtime } from "../src/client/watch/environment.ts";

/**
 * The page of `many-on-a-page.ts`: a line for each analysis, drawn ten times a second if anything changed. The browser lays out and paints
 * those in sight.
 */
const DRAW_EVERY_MS = 100;
const lines = new Map<string, { readonly line: HTMLElement; readonly watched: ReturnType<typeof watch> }>();
const changed = new Set<string>();
let sockets = 0;

const page: MeasuredPage = {
  begin({ url, token, ids, transport }) {
    const Own = globalThis.WebSocket;
    class Counted extends Own {
      constructor(...given: ConstructorParameters<typeof Own>) {
        super(...given);
        sockets += 1;
      }
    }
    const WebSocket = transport === "sse" ? undefined : (Counted as unknown as typeof runtime.WebSocket);
    const environment = { ...runtime, WebSocket };
    for (const id of ids) {
      const line = document.createElement("p");
      document.querySelector("main")?.append(line);
      const watched = watch({ url, token, analysisId: id, environment });
      lines.set(id, { line, watched });
      watched.subscribe(() => {
        if (changed.size === 0) setTimeout(() => requestAnimationFrame(draw), DRAW_EVERY_MS);
        changed.add(id);
      });
    }
  },
  seen: () => ({
    live: count(({ connection, analysis }) => (connection.status === "live" && analysis ? 1 : 0)),
    events: count(({ analysis }) => Number(analysis?.last_event_id.split("-")[1] ?? 0)),
    sockets,
  }),
};
Object.assign(globalThis, { page });

function draw(): void {
  for (const id of changed) {
    const { line, watched } = lines.get(id) as { line: HTMLElement; watched: ReturnType<typeof watch> };
    const { analysis } = watched.getSnapshot();
    line.textContent = `${analysis?.status} ${analysis?.progress ?? ""} ${analysis?.message ?? ""}`;
  }
  changed.clear();
}

function count(of: (snapshot: ReturnType<ReturnType<typeof watch>["getSnapshot"]>) => number): number {
  return [...lines.values()].reduce((sum, { watched }) => sum + of(watched.getSnapshot()), 0);
}

export interface MeasuredPage {
  begin(options: { url: string; token: string; ids: readonly string[]; transport: string }): void;
  seen(): SeenOnPage;
}

export interface SeenOnPage {
  /** Analyses whose state is there, over a connection that is. */
  readonly live: number;
  /** Events that are folded into the states. */
  readonly events: number;
  readonly sockets: number;
}
