import { eventually } from "../../../src/testing/eventually.ts";
import type { BrowserPage } from "./chromium.ts";
import type { FaultStage, Tokens } from "./fault-stage.ts";
import { FaultyLink } from "./faulty-link.ts";
import { faultsOf, leftoversOf } from "./judge-page.ts";
import { PageFaults } from "./page-faults.ts";
import type { Schedule, WatchedAnalysis } from "./schedule.ts";
import type { PageReport } from "./watched-page.ts";
import { work } from "./worker.ts";

export interface PlayedSchedule {
  readonly schedule: Schedule;
  /** Empty if all was right. */
  readonly faults: readonly string[];
  readonly events: number;
  readonly transports: readonly string[];
  readonly seconds: number;
  readonly report: PageReport | undefined;
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
  const watches = Object.values(played.report?.watches ?? {});
  await played.leave();
  return {
    schedule,
    faults,
    events: watches.reduce((sum, { ids }) => sum + ids.length, 0),
    transports: [...new Set(watches.flatMap(({ transports }) => transports))],
    seconds: (performance.now() - began) / 1_000,
    report: played.report,
  };
}

class Played {
  report: PageReport | undefined;
  readonly #stage: FaultStage;
  readonly #schedule: Schedule;
  readonly #analyses: ReadonlyMap<string, WatchedAnalysis>;
  readonly #viewer: string;
  readonly #tokens: Tokens;
  #link: FaultyLink | undefined;
  #page: BrowserPage | undefined;

  constructor(stage: FaultStage, schedule: Schedule) {
    this.#stage = stage;
    this.#schedule = schedule;
    this.#analyses = new Map(schedule.analyses.map((plan) => [crypto.randomUUID(), plan]));
    this.#viewer = `viewer-${schedule.seed}`;
    this.#tokens = { lifetimeMs: schedule.tokenLifetimeMs, how: "good" };
  }

  async run(): Promise<string[]> {
    const stage = this.#stage;
    const { seed, steps, blocked } = this.#schedule;
    const gateway = seed % 2;
    const link = await FaultyLink.to(stage.portOf(gateway));
    this.#link = link;
    link.block(blocked);
    const url = stage.pageUrl(this.#viewer, this.#tokens);
    const page = await stage.browser.openPage(url);
    this.#page = page;
    const begin = () => this.#begin(page, link);
    await begin();
    const setting = { stage, gateway, page, link, tokens: this.#tokens, blocked, begin };
    const faults = new PageFaults({ ...setting, ids: [...this.#analyses.keys()] });
    const began = performance.now();
    const striking = steps.map(async ({ at, fault }) => {
      await Bun.sleep(Math.max(0, began + at - performance.now()));
      await faults.strike(fault);
    });
    const working = [...this.#analyses].map(([id, plan]) => work(stage, id, this.#viewer, plan));
    const cancelling = [...this.#analyses].map(([id, plan]) => this.#cancel(page, id, plan));
    await Promise.all([...striking, ...working, ...cancelling]);
    return this.#judge(page);
  }

  async look(): Promise<void> {
    this.report = await this.#page?.evaluate<PageReport>("page.report()");
  }

  async leave(): Promise<void> {
    await this.#page?.close();
    await this.#link?.stop();
  }

  async #begin(page: BrowserPage, link: FaultyLink): Promise<void> {
    const { seed, pauses } = this.#schedule;
    const analyses = [...this.#analyses].map(([id, { untilTerminal }]) => ({ id, untilTerminal }));
    const options = { seed, pauses, url: link.url, tokenUrl: `/token/${this.#viewer}`, analyses };
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

  async #judge(page: BrowserPage): Promise<string[]> {
    const faults: string[] = [];
    const look = async () => {
      this.report = await page.evaluate<PageReport>("page.report()");
      return this.report;
    };
    for (const [id, plan] of this.#analyses) {
      const log = await this.#stage.logOf(id);
      const hasAll = async () => {
        const watch = (await look()).watches[id];
        if (plan.untilTerminal) return watch?.loopEnded !== undefined;
        return watch?.snapshot.analysis?.last_event_id === log.ids.at(-1) && !watch?.snapshot.stalled;
      };
      await eventually(() => `${id} has arrived: ${JSON.stringify(this.report)}`, hasAll, PATIENCE_MS);
      await page.evaluate(`page.closeWatch("${id}")`);
      await eventually("the loop has ended", async () => (await look()).watches[id]?.loopEnded !== undefined);
      faults.push(...faultsOf(id, (await look()).watches[id], log));
    }
    faults.push(...(await leftoversOf(page, String(this.#link?.url), look)), ...page.exceptions);
    return faults;
  }
}
