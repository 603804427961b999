import { effect } from "@preact/signals";
import { render } from "preact";
import { Announcer } from "./announcer.tsx";
import { EventLog } from "./event-log.tsx";
import { percent } from "./format.ts";
import { Frame } from "./frame.tsx";
import { Header } from "./header.tsx";
import { NoticeBar, RefusalBar } from "./notice-bar.tsx";
import { Overview } from "./overview.tsx";
import { analysisId, moving, now, ticking, view, watchFromAddress } from "./page-state.ts";
import { lookForRefusals } from "./refusals.ts";
import { RegionList } from "./region-list.tsx";
import { StageTimeline } from "./stage-timeline.tsx";
import { StartPanel } from "./start-panel.tsx";

function App() {
  const watching = analysisId.value !== undefined;
  return (
    <>
      <a class="skip" href="#analysis">
        Skip to the analysis
      </a>
      <Header />
      <main class={watching ? "page" : "page page--start"} data-still={!moving.value}>
        <NoticeBar />
        <StartPanel />
        {watching ? (
          <section id="analysis" class="analysis" aria-label="Analysis" tabIndex={-1}>
            <Overview />
            <RefusalBar />
            <div class="columns">
              <Frame />
              <RegionList />
              <StageTimeline />
            </div>
            <EventLog />
          </section>
        ) : (
          <div id="analysis" class="teaser">
            <Frame />
          </div>
        )}
      </main>
      <footer class="footer">
        The pipeline on this page only pretends to look at a video. Everything it says travels through the
        gateway as a real worker's events do.
      </footer>
      <Announcer />
    </>
  );
}

effect(() => {
  if (!ticking.value) return;
  const timer = setInterval(() => {
    now.value = Date.now();
  }, 250);
  return () => clearInterval(timer);
});

effect(() => {
  const current = view.value;
  const shown = current !== undefined && moving.value;
  document.title = shown ? `${percent(current.progress, 0)} · Telltale` : "Telltale";
});

lookForRefusals();
watchFromAddress();
render(<App />, document.getElementById("app") as HTMLElement);
