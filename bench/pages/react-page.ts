import { createElement, memo, useEffect } from "react";
import { createRoot } from "react-dom/client";
import { TelltaleProvider, useAnalyses } from "../../clients/js/react.ts";
import type { WatchSnapshot } from "../../src/client/sdk.ts";
import {
  DRAW_EVERY_MS,
  environmentFor,
  eventsUpTo,
  lineOf,
  type MeasuredPage,
  opened,
} from "./measured-page.ts";

/** A page of React: one list that has all snapshots, and lines that are rendered only if theirs changed. */
let shown: readonly WatchSnapshot[] = [];

const Line = memo(({ snapshot }: { readonly snapshot: WatchSnapshot }) =>
  createElement("p", null, lineOf(snapshot.analysis)),
);

function List({ ids }: { readonly ids: readonly string[] }) {
  const snapshots = useAnalyses(ids, { throttleMs: DRAW_EVERY_MS });
  useEffect(() => {
    shown = snapshots;
  });
  return ids.map((id, index) =>
    createElement(Line, { key: id, snapshot: snapshots[index] as WatchSnapshot }),
  );
}

const page: MeasuredPage = {
  begin({ url, token, ids, transport }) {
    const root = createRoot(document.querySelector("main") as HTMLElement);
    const environment = environmentFor(transport);
    root.render(createElement(TelltaleProvider, { url, token, environment }, createElement(List, { ids })));
  },
  seen: () => ({
    live: shown.filter(({ connection, analysis }) => connection.status === "live" && analysis).length,
    events: shown.reduce((sum, { analysis }) => sum + eventsUpTo(analysis?.last_event_id), 0),
    sockets: opened.sockets,
  }),
};
Object.assign(globalThis, { page });
