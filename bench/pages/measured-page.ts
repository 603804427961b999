import type { AnalysisState } from "../../src/client/sdk.ts";
import { runtime } from "../../src/client/watch/environment.ts";

/** A page of `many-on-a-page.ts` as the bench drives it: `page`, a global of the page. */
export interface MeasuredPage {
  begin(options: PageOptions): void;
  seen(): SeenOnPage;
}

export interface PageOptions {
  readonly url: string;
  readonly token: string;
  readonly ids: readonly string[];
  readonly transport: string;
}

export interface SeenOnPage {
  /** Analyses whose state is there, over a connection that is. */
  readonly live: number;
  /** Events that are in the states. */
  readonly events: number;
  readonly sockets: number;
}

/** So often a page draws what changed, in milliseconds. */
export const DRAW_EVERY_MS = 100;

export const opened = { sockets: 0 };

const Own = globalThis.WebSocket;

export class CountedSocket extends Own {
  constructor(...given: ConstructorParameters<typeof Own>) {
    super(...given);
    opened.sockets += 1;
  }
}

export function environmentFor(transport: string): typeof runtime {
  const WebSocket = transport === "sse" ? undefined : (CountedSocket as unknown as typeof runtime.WebSocket);
  return { ...runtime, WebSocket };
}

/** The number of events of an analysis, by the position of the last one. */
export function eventsUpTo(lastEventId: string | undefined): number {
  return Number(lastEventId?.split("-")[1] ?? 0);
}

export function lineOf(analysis: Pick<AnalysisState, "status" | "progress" | "message"> | null): string {
  return `${analysis?.status} ${analysis?.progress ?? ""} ${analysis?.message ?? ""}`;
}

/** A line of text for each analysis, drawn anew at most ten times a second. */
export class Lines {
  readonly #lines = new Map<string, { readonly text: Text; readonly current: () => string }>();
  readonly #changed = new Set<string>();

  add(id: string, current: () => string): void {
    const text = document.createTextNode("");
    const line = document.createElement("p");
    line.append(text);
    document.querySelector("main")?.append(line);
    this.#lines.set(id, { text, current });
  }

  changed(id: string): void {
    if (this.#changed.size === 0) setTimeout(() => requestAnimationFrame(() => this.#draw()), DRAW_EVERY_MS);
    this.#changed.add(id);
  }

  #draw(): void {
    for (const id of this.#changed) {
      const line = this.#lines.get(id);
      if (line !== undefined) line.text.data = line.current();
    }
    this.#changed.clear();
  }
}
