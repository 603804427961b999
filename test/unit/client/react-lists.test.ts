import { expect, test } from "bun:test";
import { createElement } from "react";
import { type UseAnalysisOptions, useAnalyses } from "../../../clients/js/react.ts";
import { establish, says, useReactPage } from "./react-page.ts";
import { ScriptedGateway, sendState, status } from "./watch/scripted-gateway.ts";

const { pageOf } = useReactPage();

const IDS = Array.from(
  { length: 100 },
  (_, number) => `0f8fad5b-d9cb-469f-a165-${`${number}`.padStart(12, "0")}`,
);

let renderings = 0;

function List({ options }: { readonly options: UseAnalysisOptions }) {
  renderings += 1;
  return useAnalyses(IDS, options).map(({ analysis }) => `${analysis?.status} ${analysis?.message};`);
}

test("useAnalyses() renders a long list ten times a second, however many events come, and an end within a frame", async () => {
  const gateway = new ScriptedGateway();
  const page = pageOf(gateway);
  const ends: string[] = [];
  const options = { onComplete: (end: { analysis_id: string }) => ends.push(end.analysis_id) };
  await page.render(createElement(List, { options }));
  const socket = await establish(gateway);
  const renderingsOf = async (deed: (id: string, index: number) => void) => {
    renderings = 0;
    for (const [index, id] of IDS.entries()) await says(() => deed(id, index));
    return renderings;
  };

  const states = await renderingsOf((id) => sendState(socket, { analysis_id: id, status: "running" }));
  // Under StrictMode each is done twice.
  expect(states).toBeLessThanOrEqual(2);
  await says(() => gateway.clock.advance(16));
  expect(page.text()).toBe("running null;".repeat(IDS.length));

  const events = await renderingsOf((id, index) =>
    socket.serverSends({ ...status(`e-${index}`, { message: "new" }), analysis_id: id }),
  );
  expect(events).toBe(0);
  await says(() => gateway.clock.advance(100));
  expect(page.text()).toBe("running new;".repeat(IDS.length));
  expect(renderings).toBeLessThanOrEqual(2);

  const [first, ...others] = IDS as [string, ...string[]];
  const failure = status("e-200", { current_stage: "failed", message: "no frames" });
  await says(() => socket.serverSends({ ...failure, analysis_id: first }));
  expect(ends).toEqual([first]);
  expect(page.text()).toBe(`failed no frames;${"running new;".repeat(others.length)}`);
});
