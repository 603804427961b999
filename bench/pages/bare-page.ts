import type { AnalysisState } from "../../src/client/sdk.ts";
import { CountedSocket, eventsUpTo, Lines, lineOf, type MeasuredPage, opened } from "./measured-page.ts";

/** The reference: a socket, `JSON.parse`, and the last event of each analysis. It folds nothing and does not come back. */
interface Last extends Pick<AnalysisState, "status" | "progress" | "message"> {
  readonly event_id?: string;
}

const last = new Map<string, Last>();

const page: MeasuredPage = {
  begin({ url, token, ids }) {
    const lines = new Lines();
    const socket = new CountedSocket(`${url.replace(/^http/, "ws")}/ws?markers=1`, [
      "telltale.v1",
      `bearer.${token}`,
    ]);
    for (const id of ids) lines.add(id, () => lineOf(last.get(id) ?? null));
    socket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(data) as Last & { event_type: string; analysis_id: string };
      if (frame.event_type === "connection_established") {
        for (const analysis_id of ids)
          socket.send(JSON.stringify({ type: "subscribe", analysis_id, replay: "state" }));
      } else if (frame.event_type === "analysis_state" || frame.event_type === "status_update") {
        last.set(frame.analysis_id, frame);
        lines.changed(frame.analysis_id);
      }
    });
  },
  seen: () => ({
    live: last.size,
    events: [...last.values()].reduce((sum, { event_id }) => sum + eventsUpTo(event_id), 0),
    sockets: opened.sockets,
  }),
};
Object.assign(globalThis, { page });
