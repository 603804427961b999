import { type AnalysisWatch, watch } from "../../src/client/sdk.ts";
import { environmentFor, eventsUpTo, Lines, lineOf, type MeasuredPage, opened } from "./measured-page.ts";

/** A page without a framework: a watch of each analysis. */
const watches: AnalysisWatch[] = [];

const page: MeasuredPage = {
  begin({ url, token, ids, transport }) {
    const lines = new Lines();
    const environment = environmentFor(transport);
    for (const id of ids) {
      const watched = watch({ url, token, analysisId: id, environment });
      watches.push(watched);
      lines.add(id, () => lineOf(watched.getSnapshot().analysis));
      watched.subscribe(() => lines.changed(id));
    }
  },
  seen() {
    const snapshots = watches.map((watched) => watched.getSnapshot());
    return {
      live: snapshots.filter(({ connection, analysis }) => connection.status === "live" && analysis).length,
      events: snapshots.reduce((sum, { analysis }) => sum + eventsUpTo(analysis?.last_event_id), 0),
      sockets: opened.sockets,
    };
  },
};
Object.assign(globalThis, { page });
