import { eventually } from "../../../src/testing/eventually.ts";
import type { BrowserPage } from "./chromium.ts";
import { BASE_PATH, type FaultStage, type Tokens } from "./fault-stage.ts";
import { FaultyLink } from "./faulty-link.ts";
import { faultsOf, leftoversOf } from "./judge-page.ts";
import { PageFaults } from "./page-faults.ts";
import type { Schedule, WatchedAnalysis } from "./schedule.ts";
import type { WatchRecord } from "./watch-record.ts";
import type { PageOptions, PageReport } from "./watched-page.ts";
import { work } from "./worker.ts";

export interface PlayedSchedule {
  readonly schedule: Schedule;
  /** Empty if all was right. */
  readonly faults: readonly string[];
  readonly events: number;
  readonly transports: readonly string[];
  readonly seconds: number;
  /** The last report of each page. */
  readonly reports: readonly PageReport[];
}

/** A gateway that is heard no more over a read that waits is given up after a minute. */
const PATIENCE_MS = 120_000;

/** Plays one schedule on a page of its own, and holds what the page saw against the log. */
export async function play(stage: FaultStage, schedule: Schedule): Promise<PlayedSchedule> {
  const began = performance.now();
  const played = new Played(stage, schedule);
  const faults: string[] = [];
  try {
    faults.push(...(await played.run()));
  } catch (error) {
    faults.push((error as Error).stack ?? String(error));
    await played.look().catch(() => {});
  }
  const watches = played.reports.flatMap(({ watches }) => Object.values(watches));
  await played.leave();
  return {
    schedule,
    faults,
    events: watches.reduce((sum, { ids }) => sum + (ids?.length ?? 0), 0),
    transports: [...new Set(watches.flatMap(({ transports }) => transports))],
    seconds: (performance.now() - began) / 1_000,
    reports: played.reports,
  };
}

class Played {
  /** As each page last told it. */
  readonly reports: PageReport[] = [];
  readonly #stage: FaultStage;
  readonly #schedule: Schedule;
  readonly #analyses: ReadonlyMap<string, WatchedAnalysis>;
  readonly #viewer: string;
  readonly #tokens: Tokens;
  readonly #pages: BrowserPage[] = [];
  #link: FaultyLink | undefined;

  constructor(stage: FaultStage, schedule: Schedule) {
    this.#stage = stage;
    this.#schedule = schedule;
    this.#analyses = new Map(schedule.analyses.map((plan) => [crypto.randomUUID(), plan]));
    this.#viewer = `viewer-${schedule.seed}`;
    this.#tokens = { lifetimeMs: schedule.tokenLifetimeMs, how: "good" };
  }

  async run(): Promise<string[]> {
    const stage = this.#stage;
    const { seed, steps, blocked, pages } = this.#schedule;
    const gateway = seed % 2;
    const link = await FaultyLink.to(stage.portOf(gateway));
    this.#link = link;
    link.block(blocked);
    const url = stage.pageUrl(this.#viewer, this.#tokens);
    const page = await stage.browser.openPage(url);
    this.#pages.push(page);
    if (pages === 2) this.#pages.push(await stage.browser.openPage(url, page));
    for (const each of this.#pages) await this.#begin(each, link);
    const setting = { stage, gateway, page, link, tokens: this.#tokens, blocked };
    const begin = () => this.#begin(page, link);
    const faults = new PageFaults({ ...setting, begin, ids: [...this.#analyses.keys()] });
    const began = performance.now();
    const striking = steps.map(async ({ at, fault }) => {
      await Bun.sleep(Math.max(0, began + at - performance.now()));
      await faults.strike(fault);
    });
    const working = [...this.#analyses].map(([id, plan]) => work(stage, id, this.#viewer, plan));
    const cancelling = [...this.#analyses].map(([id, plan]) => this.#cancel(page, id, plan));
    await Promise.all([...striking, ...working, ...cancelling]);
    return this.#judge();
  }

  async look(): Promise<void> {
    for (const index of this.#pages.keys()) await this.#reportOf(index);
  }

  async leave(): Promise<void> {
    await this.#pages[0]?.close();
    await this.#link?.stop();
  }

  async #begin(page: BrowserPage, link: FaultyLink): Promise<void> {
    const { seed, pauses, through, isStorageFull, isBelowPath } = this.#schedule;
    const analyses = [...this.#analyses].map(([id, { untilTerminal }]) => ({ id, untilTerminal }));
    const options: PageOptions = {
      seed,
      pauses,
      through,
      isStorageFull,
      url: `${link.url}${isBelowPath ? BASE_PATH : ""}`,
      tokenUrl: `/token/${this.#viewer}`,
      analyses,
    };
    await page.evaluate(`page.begin(${JSON.stringify(options)})`);
  }

  async #cancel(page: BrowserPage, id: string, { cancelAt }: WatchedAnalysis): Promise<void> {
    if (cancelAt === undefined) return;
    await Bun.sleep(cancelAt);
    const asks = `globalThis.page?.cancel("${id}")`;
    await eventually(
      "the request to cancel is taken",
      async () => {
        // A page that is left or loaded again meanwhile does not answer.
        const answer = await Promise.race([page.evaluate(asks).catch(() => undefined), Bun.sleep(2_000)]);
        // It ended if an earlier request was taken whose answer was lost.
        return answer === "taken" || answer === "already_ended";
      },
      PATIENCE_MS,
    );
  }

  async #judge(): Promise<string[]> {
    const faults: string[] = [];
    for (const [id, plan] of this.#analyses) {
      const log = await this.#stage.logOf(id);
      for (const [index, page] of this.#pages.entries()) {
        const watched = async () => (await this.#reportOf(index)).watches[id];
        await eventually(
          () => `${id} has arrived at page ${index}: ${JSON.stringify(this.reports[index])}`,
          async () => this.#hasAll(await watched(), plan, log.ids.at(-1)),
          PATIENCE_MS,
        );
        await page.evaluate(`page.closeWatch("${id}")`);
        await eventually("the watch has ended", async () => (await watched())?.ended !== undefined);
        faults.push(...faultsOf(id, await watched(), log));
      }
    }
    for (const [index, page] of this.#pages.entries()) {
      const look = () => this.#reportOf(index);
      faults.push(...(await leftoversOf(page, String(this.#link?.url), look)), ...page.exceptions);
    }
    return faults;
  }

  #hasAll(watch: WatchRecord | undefined, plan: WatchedAnalysis, last: string | undefined): boolean {
    // The element knows no end of its own.
    if (plan.untilTerminal && this.#schedule.through !== "element") return watch?.ended !== undefined;
    return watch?.snapshot.analysis?.last_event_id === last && !watch?.snapshot.stalled;
  }

  async #reportOf(index: number): Promise<PageReport> {
    const report = await (this.#pages[index] as BrowserPage).evaluate<PageReport>("page.report()");
    this.reports[index] = report;
    return report;
  }
}
