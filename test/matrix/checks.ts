import { expect } from "bun:test";
import { TelltalePublisher } from "../../src/client/publisher.ts";
import { watch } from "../../src/client/sdk.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { launchBrowser } from "../support/browser.ts";
import { needs } from "../support/needs.ts";
import { resultUpdate, statusUpdate } from "../support/publishing.ts";
import { openStream } from "../support/reading-stream.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";
import type { Cell } from "./cell.ts";

/** Something that users do with a gateway, on whichever broker and runtime. */
export interface Check {
  readonly name: string;
  /** Why the cell skips it, by what its broker declares; undefined if it does not. */
  readonly skip?: (capabilities: readonly string[]) => string | undefined;
  readonly run: (cell: Cell) => Promise<void>;
}

const EVENTS = 5;
/** A machine with other things to do takes longer to start a browser and to bundle the page. */
const PAGE_MS = 60_000;

export const CHECKS: readonly Check[] = [
  {
    name: "HTTP to WebSocket",
    run: async (cell) => {
      const id = crypto.randomUUID();
      const socket = new WatchingSocket(watchUrl(cell.url, id, { token: await cell.token(), replay: "all" }));
      await socket.established();
      await publishTo(cell.url, cell, id);
      await socket.untilType("result_update");
      expect(numbersOf(socket.events)).toEqual(NUMBERS);
      await socket.leave();
      await watchFromState(cell, id);
    },
  },
  {
    name: "HTTP to event stream",
    run: async (cell) => {
      const id = crypto.randomUUID();
      const query = "?replay=all&until=terminal";
      const stream = await openStream(cell.url, id, { token: await cell.token(), query });
      await publishTo(cell.url, cell, id);
      const events = (await stream.rest()).filter(({ id }) => id !== undefined);
      expect(numbersOf(events.map(({ data }) => data))).toEqual(NUMBERS);
    },
  },
  {
    name: "HTTP to long poll",
    run: async (cell) => {
      const id = crypto.randomUUID();
      const polled = poll(cell.url, await cell.token(), id, EVENTS);
      await publishTo(cell.url, cell, id);
      expect(numbersOf(await polled)).toEqual(NUMBERS);
    },
  },
  {
    name: "SDK to SDK",
    run: async (cell) => {
      const id = crypto.randomUUID();
      const got: Record<string, unknown>[] = [];
      const token = await cell.token();
      for await (const event of watch({ url: cell.url, analysisId: id, token })) {
        if (event.event_type === "caught_up" && got.length === 0) await publishTo(cell.url, cell, id);
        if ("event_id" in event) got.push({ ...event });
        if (got.length === EVENTS) break;
      }
      expect(numbersOf(got)).toEqual(NUMBERS);
    },
  },
  {
    name: "Python worker",
    run: async (cell) => {
      const id = crypto.randomUUID();
      const child = Bun.spawn(["/usr/bin/python3", `${import.meta.dir}/worker.py`], {
        env: { TELLTALE_URL: cell.url, TELLTALE_TOKEN: await cell.token(), ANALYSIS_ID: id },
        stdout: "inherit",
        stderr: "inherit",
      });
      expect(await child.exited).toBe(0);
      expect(numbersOf(await poll(cell.url, await cell.token(), id, EVENTS))).toEqual(NUMBERS);
    },
  },
  {
    name: "plain message of a worker",
    skip: needing("worker_channels"),
    run: async (cell) => {
      const id = crypto.randomUUID();
      for (const event of eventsOf(id)) await sayUntilTaken(cell, "bare", id, event);
      expect(numbersOf(await poll(cell.url, await cell.token(), id, EVENTS))).toEqual(NUMBERS);
    },
  },
  {
    name: "inbox entry",
    skip: needing("inbox"),
    run: async (cell) => {
      const id = crypto.randomUUID();
      for (const event of eventsOf(id)) await sayUntilTaken(cell, "inbox", id, event);
      expect(numbersOf(await poll(cell.url, await cell.token(), id, EVENTS))).toEqual(NUMBERS);
    },
  },
  {
    name: "two gateways",
    skip: sharedBroker,
    run: async (cell) => {
      const id = crypto.randomUUID();
      const other = await cell.startGateway();
      const socket = new WatchingSocket(
        watchUrl(other.url, id, { token: await cell.token(), replay: "all" }),
      );
      await socket.established();
      await publishTo(cell.url, cell, id);
      await socket.untilType("result_update");
      expect(numbersOf(socket.events)).toEqual(NUMBERS);
      await socket.leave();
      await other.kill9();
    },
  },
  {
    name: "gateway killed, watcher resumes",
    skip: sharedBroker,
    run: async (cell) => {
      const id = crypto.randomUUID();
      const first = await cell.startGateway();
      const token = await cell.token();
      const socket = new WatchingSocket(watchUrl(first.url, id, { token, replay: "all" }));
      await socket.established();
      const publisher = new TelltalePublisher({ url: cell.url, token });
      const events = eventsOf(id);
      for (const event of events.slice(0, 2)) await publisher.sendEvents(id, [event as never]);
      await socket.until(({ message }) => message === "number 2");
      await first.kill9();
      for (const event of events.slice(2)) await publisher.sendEvents(id, [event as never]);
      const last_event_id = socket.events.at(-1)?.event_id ?? "";
      const again = new WatchingSocket(watchUrl(cell.url, id, { token, last_event_id, conflate: "none" }));
      await again.untilType("result_update");
      expect((await again.established()).resumed).toBe(true);
      expect(numbersOf([...socket.events, ...again.events])).toEqual(NUMBERS);
      await again.leave();
    },
  },
  {
    name: "worker while no gateway runs",
    skip: needing("inbox"),
    run: async (cell) => {
      const id = crypto.randomUUID();
      await cell.stopGateways();
      for (const event of eventsOf(id)) await sayUntilTaken(cell, "inbox", id, event);
      await cell.startFirstAgain();
      expect(numbersOf(await poll(cell.url, await cell.token(), id, EVENTS))).toEqual(NUMBERS);
    },
  },
  {
    name: "demo page in a browser",
    run: async (cell) => {
      if (!needs("chromium")) return;
      const browser = await launchBrowser();
      try {
        const page = await browser.newPage();
        page.setDefaultTimeout(PAGE_MS);
        await page.goto(cell.url);
        await page.click("[data-testid=start]");
        await page.waitForSelector("[data-testid=progress][aria-valuenow]");
        await page.waitForFunction(() => {
          const shown = document.querySelector("[data-testid=progress]")?.getAttribute("aria-valuenow");
          return Number(shown) > 0;
        });
      } finally {
        await browser.close();
      }
    },
  },
  {
    name: "drain: 1001, and exit code 0",
    run: async (cell) => {
      const gateway = await cell.startGateway();
      const socket = new WatchingSocket(
        watchUrl(gateway.url, crypto.randomUUID(), { token: await cell.token() }),
      );
      await socket.established();
      const ended = gateway.stop();
      const { code, reason } = await socket.closed;
      expect({ code, reason }).toEqual({ code: 1001, reason: expect.stringMatching(/^retry_after_ms=\d+$/) });
      expect(await ended).toBe(0);
    },
  },
];

const NUMBERS = Array.from({ length: EVENTS }, (_, index) => index + 1);

function needing(capability: string): NonNullable<Check["skip"]> {
  return (capabilities) => {
    if (!capabilities.includes(capability)) return `the broker has no ${capability}`;
    return capabilities.includes("durability:process") ? IN_PROCESS : undefined;
  };
}

const IN_PROCESS = "the broker lives in the process of the gateway";

function sharedBroker(capabilities: readonly string[]): string | undefined {
  return capabilities.includes("durability:process") ? IN_PROCESS : undefined;
}

/** Statuses and a result, numbered from 1. */
function eventsOf(analysis_id: string): Record<string, unknown>[] {
  return NUMBERS.map((number) => {
    const fields = { analysis_id, number, message: `number ${number}` };
    return number === EVENTS ? resultUpdate(fields) : statusUpdate(fields);
  });
}

function numbersOf(events: readonly Record<string, unknown>[]): unknown[] {
  return events.map(({ number }) => number);
}

async function publishTo(url: string, cell: Cell, analysisId: string): Promise<void> {
  const publisher = new TelltalePublisher({ url, token: await cell.token() });
  for (const event of eventsOf(analysisId)) await publisher.sendEvents(analysisId, [event as never]);
}

/** The state of an analysis that has ended, and then every event of its next run, over both transports that stream. */
async function watchFromState(cell: Cell, id: string): Promise<void> {
  const token = await cell.token();
  const query = { replay: "state", markers: "1" };
  const socket = new WatchingSocket(watchUrl(cell.url, id, { token, ...query }));
  await socket.untilType("caught_up");
  const stream = await openStream(cell.url, id, { token, query: `?${new URLSearchParams(query)}` });
  await stream.next();
  const streamed = await stream.next();
  const [, state, marker] = socket.frames;
  expect(state).toMatchObject({ event_type: "analysis_state", status: "completed" });
  expect(streamed).toEqual({ id: `${state?.last_event_id}`, event: "analysis_state", data: { ...state } });
  expect(marker?.last_event_id).toBe(state?.last_event_id);
  await publishTo(cell.url, cell, id);
  await socket.untilType("result_update");
  expect(numbersOf(socket.events)).toEqual(NUMBERS);
  await socket.leave();
  await stream.leave();
}

/** A worker's connection may not be made yet. */
async function sayUntilTaken(
  cell: Cell,
  lane: "bare" | "inbox",
  analysisId: string,
  event: Record<string, unknown>,
): Promise<void> {
  const text = JSON.stringify(event);
  await eventually("the broker takes the message", async () => {
    const answer = await cell.worker.publish(lane, analysisId, text);
    if (answer === "unknown") throw new Error("nobody knows whether the broker took the message");
    return answer === "taken";
  });
}

/** Asks for the next events, as a client behind a network that lets nothing else through, until it has so many. */
async function poll(
  url: string,
  token: string,
  analysisId: string,
  count: number,
): Promise<Record<string, unknown>[]> {
  const got: Record<string, unknown>[] = [];
  for (let after = "0"; got.length < count; ) {
    const query = new URLSearchParams({ after, wait: "20" });
    const answer = await fetch(`${url}/v1/analyses/${analysisId}/events?${query}`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(200);
    const page = (await answer.json()) as { events: Record<string, unknown>[]; last_event_id: string };
    got.push(...page.events);
    after = page.last_event_id;
  }
  return got;
}
