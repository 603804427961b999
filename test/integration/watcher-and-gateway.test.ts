import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ConnectionStatus, type WatchOptions, watchAnalysis } from "../../src/client/watcher.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, publisherToken, startGateway, tokenFor } from "../support/gateway-process.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";

setDefaultTimeout(30_000);

describe("telltale/watcher on a gateway that lets nobody watch by default", () => {
  let gateway: GatewayProcess;
  beforeAll(async () => {
    gateway = await startGateway({ WATCH_DEFAULT: "deny", STALL_AFTER_SECONDS: "1" });
  });
  afterAll(() => gateway.kill9());

  function watch(id: string, options: Partial<WatchOptions> = {}) {
    const statuses: ConnectionStatus[] = [];
    const seen: string[] = [];
    const watching = watchAnalysis({
      url: gateway.url,
      analysisId: id,
      token: () => tokenFor({ user: "alice" }),
      onEvent: (event) => seen.push(event.event_type),
      onConnection: (status) => statuses.push(status),
      ...options,
    });
    return { watching, statuses, seen, kind: () => statuses.at(-1)?.kind };
  }
  const declare = async (id: string, viewers: readonly string[]) =>
    fetch(`${gateway.url}/v1/analyses/${id}`, {
      method: "PUT",
      headers: { Authorization: `Bearer ${await publisherToken()}` },
      body: JSON.stringify({ viewers }),
    });

  test.each([false, true])(
    "SDK-4: one that comes before its viewers are declared is let in after, with the state: %p",
    async (withState) => {
      const id = crypto.randomUUID();
      const states: string[] = [];
      const onState: WatchOptions["onState"] = (state) => states.push(state.status);
      const { watching, statuses, kind } = watch(id, withState ? { onState } : {});
      await eventually("it was refused", async () => kind() === "waiting");
      expect(statuses.at(-1)).toMatchObject({ code: 4003, reason: "not_declared" });
      await declare(id, ["alice"]);
      await eventually("it is live", async () => kind() === "live");
      expect(states).toEqual(withState ? ["unknown"] : []);
      watching.close();
    },
  );

  test("SDK-4: one whose name is not among the viewers is refused for good", async () => {
    const id = crypto.randomUUID();
    await declare(id, ["bob"]);
    const { kind, statuses } = watch(id);
    await eventually("it was refused", async () => kind() === "refused");
    expect(statuses.at(-1)).toMatchObject({ code: 4003 });
  });

  test("SDK-6, SDK-7: begins with the state, hears that the worker is silent, and every event once", async () => {
    const id = crypto.randomUUID();
    await declare(id, ["alice"]);
    await publish(gateway, id, [statusUpdate({ current_stage: "uploading" }), statusUpdate()]);
    const states: { status: string; stages: number }[] = [];
    const { watching, seen } = watch(id, {
      onState: ({ status, stages }) => states.push({ status, stages: stages.length }),
    });
    await eventually("the stall is seen", async () => states.at(-1)?.status === "stalled");
    expect(states[0]?.stages).toBe(2);
    await publish(gateway, id, resultUpdate());
    await eventually("the verdict is seen", async () => seen.length > 0);
    expect(seen).toEqual(["result_update"]);
    watching.close();
  });
});
