import { effect } from "@preact/signals";
import { render } from "preact";
import { analysis, analysisId, followTime, moving } from "../page/watched-analysis.ts";
import { percent } from "../words/percent.ts";
import { Announcer } from "./announcer.tsx";
import { EventLog } from "./event-log.tsx";
import { Frame } from "./frame.tsx";
import { Header } from "./header.tsx";
import { NoticeBar, RefusalBar } from "./notice-bar.tsx";
import { Overview } from "./overview.tsx";
import { OwnPage } from "./own-page.tsx";
import { isVideo, watchFromAddress } from "./page-state.ts";
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
            <div class={isVideo.value ? "columns" : "columns columns--one"}>
              {isVideo.value && <Frame />}
              <RegionList />
              <StageTimeline />
            </div>
            <EventLog />
            <OwnPage />
          </section>
        ) : (
          <div id="analysis" class="teaser">
            <Frame />
          </div>
        )}
      </main>
      <footer class="footer">
        {watching && !isVideo.value
          ? "The page shows what the worker of this analysis publishes, as the gateway has it."
          : "The pipeline on this page only pretends to look at a video. Everything it says travels through the gateway as a real worker's events do."}
      </footer>
      <Announcer />
    </>
  );
}

effect(() => {
  const current = analysis.value;
  const shown = current !== undefined && moving.value;
  document.title = shown ? `${percent(current.progress ?? 0)} · Telltale` : "Telltale";
});

followTime();
lookForRefusals();
watchFromAddress();
render(<App />, document.getElementById("app") as HTMLElement);
