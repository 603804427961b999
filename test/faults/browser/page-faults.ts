import type { BrowserPage } from "./chromium.ts";
import type { FaultStage, Tokens } from "./fault-stage.ts";
import type { FaultyLink } from "./faulty-link.ts";
import type { Blockable, PageFault } from "./schedule.ts";

export interface FaultSetting {
  readonly stage: FaultStage;
  /** Index of the gateway that the page is connected to. */
  readonly gateway: number;
  readonly page: BrowserPage;
  readonly link: FaultyLink;
  readonly tokens: Tokens;
  readonly ids: readonly string[];
  /** Transports that are blocked all the time. */
  readonly blocked: readonly Blockable[];
  /** Begins to watch, on a page that was loaded. */
  readonly begin: () => Promise<void>;
}

/** Strikes one page. Each fault is over when its promise resolves. */
export class PageFaults {
  readonly #setting: FaultSetting;
  /** A page is in one state at a time. */
  #page: Promise<unknown> = Promise.resolve();

  constructor(setting: FaultSetting) {
    this.#setting = setting;
  }

  async strike(fault: PageFault): Promise<void> {
    const { stage, gateway, page, link, tokens, blocked } = this.#setting;
    switch (fault.kind) {
      case "cut":
        return link.cut();
      case "link frozen":
        link.freeze(fault.way);
        await Bun.sleep(fault.ms);
        return link.thaw();
      case "connections dead":
        return link.kill();
      case "connections refused":
        link.refuse(true);
        await Bun.sleep(fault.ms);
        return link.refuse(false);
      case "transport blocked":
        link.block([...blocked, ...fault.blocked], fault.how);
        await Bun.sleep(fault.ms);
        return link.block(blocked);
      case "gateway restarted":
        return stage.restart(gateway, fault.how);
      case "gateway frozen":
        return stage.freeze(gateway, fault.ms);
      case "tokens bad":
        tokens.how = fault.how;
        await Bun.sleep(fault.ms);
        tokens.how = "good";
        return;
      case "offline":
        await page.setOffline(true);
        if (fault.cuts) link.cut();
        await Bun.sleep(fault.ms);
        return page.setOffline(false);
      default:
        return this.#onPage(() => this.#strikePage(fault));
    }
  }

  async #strikePage(fault: PageFault): Promise<void> {
    const { stage, page, link, begin, ids } = this.#setting;
    switch (fault.kind) {
      case "hidden":
        await page.setHidden(true);
        await Bun.sleep(fault.ms);
        return page.setHidden(false);
      case "page frozen":
        await page.setFrozen(true);
        await Bun.sleep(fault.ms);
        return page.setFrozen(false);
      case "machine asleep":
        await page.setFrozen(true);
        link.kill();
        await Bun.sleep(fault.ms);
        return page.setFrozen(false);
      case "away":
        await page.goTo(stage.elsewhereUrl);
        await Bun.sleep(fault.ms);
        await page.goBack();
        if (await this.#watches()) return;
        await this.#load(await page.evaluate("location.href"));
        return begin();
      case "reloaded":
        await this.#load(await page.evaluate("location.href"));
        return begin();
      case "another watch": {
        const id = ids[0];
        await page.evaluate(`page.watchAgain("${id}", ${fault.ms})`);
        return;
      }
      case "clock set":
        await page.evaluate(`page.stepClock(${fault.ms})`);
    }
  }

  /** Whether the page is the one that began, as the back/forward cache kept it. */
  #watches(): Promise<boolean> {
    const { page } = this.#setting;
    return page.evaluate(
      "'page' in globalThis && page.report().then(({ watches }) => Object.keys(watches).length > 0)",
    );
  }

  /** Loads it again until it is there, as a user does who is offline for a while. */
  async #load(url: string): Promise<void> {
    const { page } = this.#setting;
    for (;;) {
      await page.goTo(url);
      if (await page.evaluate("'page' in globalThis")) return;
      await Bun.sleep(200);
    }
  }

  #onPage(deed: () => Promise<void>): Promise<void> {
    const done = this.#page.then(deed);
    this.#page = done.catch(() => {});
    return done;
  }
}
