import { describe, expect, test } from "bun:test";
import { SharedAnalysis } from "../../../../src/client/tabs/shared-analysis.ts";
import type { Frame } from "../../../../src/client/watch/watched-events.ts";
import { type AnalysisState, emptyState } from "../../../../src/domain/analysis-state.ts";
import { ANALYSIS, status } from "../watch/scripted-gateway.ts";

const at = (last_event_id: string): AnalysisState => ({
  ...emptyState(ANALYSIS),
  status: "running",
  last_event_id,
});
const stateFrame = (id: string): Frame => ({ event_type: "analysis_state", ...at(id) });
const caughtUp = (last_event_id: string): Frame => ({
  event_type: "caught_up",
  analysis_id: ANALYSIS,
  last_event_id,
});

/** An analysis of the leader, whose tabs write down what they are sent. */
function shared(first: AnalysisState | null) {
  const sent = new Map<string, string[]>();
  const asked: (string | undefined)[] = [];
  const refused: string[] = [];
  const analysis = new SharedAnalysis(ANALYSIS, first, {
    send(tab, { event_type, event_id, last_event_id, resumed }) {
      const said =
        event_id ?? [event_type, last_event_id ?? resumed].filter((part) => part !== undefined).join(" ");
      sent.set(tab, [...(sent.get(tab) ?? []), said as string]);
    },
    renew: ({ position }) => void asked.push(position),
    connectionChanged() {},
    refused: (id) => void refused.push(id),
  });
  const events = (...ids: string[]) => {
    for (const id of ids) analysis.took(status(id) as unknown as Frame);
  };
  return { analysis, asked, refused, events, to: (tab: string) => sent.get(tab) ?? [] };
}

describe("an analysis that tabs share", () => {
  test("SDK-19: a tab that comes later gets the folded state, and asks the gateway for nothing", () => {
    const { analysis, events, asked, to } = shared(null);
    analysis.add("a", null);
    analysis.took(stateFrame("e-1"));
    analysis.took(caughtUp("e-1"));
    events("e-2");
    analysis.add("b", null);
    events("e-3");
    expect(to("a")).toEqual(["subscribed ", "analysis_state e-1", "caught_up e-1", "e-2", "e-3"]);
    expect(to("b")).toEqual(["subscribed ", "analysis_state e-2", "caught_up e-2", "e-3"]);
    expect(asked).toEqual([]);
  });

  test("SDK-19: another leader goes on from the first tab's position, and a tab that is ahead waits for its own", () => {
    const { analysis, events, asked, to } = shared(at("e-2"));
    analysis.add("a", at("e-2"));
    analysis.add("b", at("e-4"));
    events("e-3", "e-4", "e-5");
    analysis.took(caughtUp("e-5"));
    expect(to("a")).toEqual(["subscribed true", "e-3", "e-4", "e-5", "caught_up e-5"]);
    expect(to("b")).toEqual(["subscribed true", "e-5", "caught_up e-5"]);
    expect(asked).toEqual([]);
  });

  test("SDK-19: the gateway repeats the events that a tab lacks, and no other tab gets them twice", () => {
    const { analysis, events, asked, to } = shared(at("e-4"));
    analysis.add("a", at("e-4"));
    analysis.took(caughtUp("e-4"));
    analysis.add("slow", at("e-1"));
    expect(asked).toEqual(["e-1"]);
    events("e-2", "e-3");
    analysis.add("late", null);
    events("e-4", "e-5");
    analysis.took(caughtUp("e-5"));
    events("e-6");
    expect(to("slow")).toEqual(["subscribed true", "e-2", "e-3", "e-4", "e-5", "caught_up e-5", "e-6"]);
    expect(to("a")).toEqual(["subscribed true", "caught_up e-4", "e-5", "caught_up e-5", "e-6"]);
    expect(to("late")).toEqual(["subscribed ", "analysis_state e-4", "e-5", "caught_up e-5", "e-6"]);
    expect(asked).toHaveLength(1);
  });

  test("SDK-19: two tabs that lack events are each given theirs", () => {
    const { analysis, events, asked, to } = shared(at("e-4"));
    analysis.add("a", at("e-4"));
    analysis.add("one", at("e-3"));
    analysis.add("two", at("e-2"));
    analysis.took(caughtUp("e-4"));
    events("e-4");
    analysis.took(caughtUp("e-4"));
    events("e-3", "e-4");
    analysis.took(caughtUp("e-4"));
    expect(asked).toEqual(["e-3", "e-2"]);
    expect(to("one").filter((said) => said.startsWith("e-"))).toEqual(["e-4"]);
    expect(to("two").filter((said) => said.startsWith("e-"))).toEqual(["e-3", "e-4"]);
    expect(to("a").filter((said) => said.startsWith("e-"))).toEqual([]);
  });

  test("SDK-19: a tab with a position gets its events, also if another one asked for the state before", () => {
    const { analysis, events, asked, to } = shared(null);
    analysis.add("a", null);
    analysis.add("b", at("e-1"));
    analysis.took(stateFrame("e-3"));
    analysis.took(caughtUp("e-3"));
    expect(asked).toEqual(["e-1"]);
    events("e-2", "e-3", "e-4");
    expect(to("b")).toEqual(["subscribed true", "e-2", "e-3", "e-4"]);
    expect(to("a")).toEqual(["subscribed ", "analysis_state e-3", "caught_up e-3", "e-4"]);
  });

  test("SDK-19: every tab is told of a lost history, and of a refusal", () => {
    const { analysis, refused, to } = shared(at("e-4"));
    analysis.add("a", at("e-4"));
    analysis.add("b", at("e-9"));
    analysis.took({ event_type: "subscribed", analysis_id: ANALYSIS, resumed: false });
    analysis.took(stateFrame("f-1"));
    for (const tab of ["a", "b"])
      expect(to(tab)).toEqual(["subscribed true", "subscribed false", "analysis_state f-1"]);
    analysis.took({ event_type: "subscription_refused", analysis_id: ANALYSIS, code: "not_allowed" });
    expect([to("b").at(-1), refused]).toEqual(["subscription_refused", [ANALYSIS]]);
  });
});
