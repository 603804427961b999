import "../../../clients/js/element.ts";
import { IDLE } from "../../../src/client/watch/idle-snapshot.ts";
import { newRecord, noteSnapshot } from "./watch-record.ts";
import type { Followed, FollowOptions } from "./watched-page.ts";

/** By `<telltale-progress>`, until it is taken off the page. */
export function followByElement({ id, url, tokenUrl }: FollowOptions): Followed {
  const element = document.createElement("telltale-progress");
  const kept = newRecord(IDLE, false);
  element.addEventListener("telltale-change", ({ detail }) => noteSnapshot(kept, detail));
  for (const [name, value] of Object.entries({ src: url, "analysis-id": id, "token-endpoint": tokenUrl }))
    element.setAttribute(name, value);
  document.body.append(element);
  const close = () => {
    element.remove();
    kept.ended = "done";
  };
  return { kept, close };
}
