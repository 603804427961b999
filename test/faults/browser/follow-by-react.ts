import { createElement, StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";
import { useAnalysis } from "../../../clients/js/react.ts";
import { IDLE } from "../../../src/client/watch/idle-snapshot.ts";
import { newRecord, noteSnapshot, type WatchRecord } from "./watch-record.ts";
import type { Followed, FollowOptions } from "./watched-page.ts";

interface ProgressProps extends FollowOptions {
  readonly kept: WatchRecord;
}

function Progress({ id, url, token, untilTerminal, kept }: ProgressProps) {
  const onComplete = () => {
    kept.completions = (kept.completions ?? 0) + 1;
  };
  const snapshot = useAnalysis(id, { url, token, stopOnCompletion: untilTerminal, onComplete });
  useEffect(() => {
    noteSnapshot(kept, snapshot);
    if (snapshot.connection.status === "finished") kept.ended = "done";
  }, [kept, snapshot]);
  return snapshot.analysis?.message;
}

/** By a component with `useAnalysis`, until it is unmounted. */
export function followByReact(options: FollowOptions): Followed {
  const kept = { ...newRecord(IDLE, false), completions: 0 };
  const container = document.body.appendChild(document.createElement("p"));
  const root = createRoot(container);
  root.render(createElement(StrictMode, null, createElement(Progress, { ...options, kept })));
  const close = () => {
    root.unmount();
    kept.ended = "done";
  };
  return { kept, close };
}
