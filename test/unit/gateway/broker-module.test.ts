import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { openBrokerModule } from "../../../src/gateway/broker-module.ts";
import { CommandFailed } from "../../../src/gateway/commands/command-failed.ts";
import { CollectingTelemetry } from "../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "telltale-module-"));
afterAll(() => rmSync(folder, { recursive: true }));

const context = {
  env: { MINE: "of the module" },
  clock: new ManualClock(),
  telemetry: new CollectingTelemetry(),
  history: { size: 7, ttlMs: 1_000 },
  listen: new Set<"analysis">(),
};
const memory = JSON.stringify(join(import.meta.dir, "../../../src/adapters/memory/memory-broker.ts"));
let modules = 0;

/** Writes a module and gives its path. */
function moduleOf(text: string): string {
  const path = join(folder, `${++modules}.ts`);
  writeFileSync(path, text);
  return path;
}

test("openBrokerModule() opens the broker that a module exports, with what the gateway gives to it", async () => {
  const path = moduleOf(`
    import { openMemoryBroker } from ${memory};
    export async function openBroker(context) {
      globalThis.given = context;
      const { events, deadLetters } = openMemoryBroker(context);
      return { events, deadLetters };
    }
  `);
  for (const one of [path, relative(process.cwd(), path)]) {
    const broker = await openBrokerModule(one, context);
    expect(broker.events.kind).toBe("memory");
    expect(Object.keys(broker)).toEqual(["events", "deadLetters"]);
    expect((globalThis as { given?: unknown }).given).toBe(context);
    await broker.events.close();
  }
});

test("openBrokerModule() finds the entry of a folder", async () => {
  mkdirSync(join(folder, "mine"));
  writeFileSync(join(folder, "mine/index.ts"), `export { openMemoryBroker as openBroker } from ${memory};`);
  const broker = await openBrokerModule(join(folder, "mine"), context);
  expect(broker.events.kind).toBe("memory");
  await broker.events.close();
});

const port = (methods: string) => `{ ${methods.split(" ").map((name) => `${name}() {}`)} }`;
const kept = "kind: 'mine', mostBytes: 1, durability: { keptIn: 'disk', replicas: 0 }";
const events = port(
  "append snapshot viewers history positions subscribe declareViewers health close",
).replace("{", `{ ${kept},`);
const deadLetters = port("keep read find remove close");

test.each<[string, string, RegExp]>([
  ["that is not there", "./no/such/module.ts", /there is no such module/],
  ["that is no package", "no-such-package-of-anybody", /there is no such module/],
  ["that is no program", moduleOf("export const = 1;"), /cannot be loaded/],
  ["that throws", moduleOf("throw new Error('no licence');"), /cannot be loaded: no licence/],
  ["that exports another name", moduleOf("export const open = 1;"), /no function openBroker/],
  [
    "whose function throws",
    moduleOf("export async function openBroker() { throw new Error('POSTGRES_URL is not set'); }"),
    /openBroker failed: POSTGRES_URL is not set/,
  ],
  ["that gives nothing", moduleOf("export function openBroker() {}"), /gives no ports/],
  [
    "that lacks a port",
    moduleOf(`export const openBroker = () => ({ events: ${events} });`),
    /gives no port deadLetters/,
  ],
  [
    "whose ports lack methods",
    moduleOf(`export const openBroker = () => ({
      events: ${events.replace("mostBytes: 1, ", "").replace("health() {},", "")}, deadLetters: ${deadLetters}, inbox: ${port("take remove")},
    });`),
    /a port events without mostBytes, health, and a port inbox without takesWorkerChannels, arrival, release, backlog, compareIds, close/,
  ],
])("openBrokerModule() refuses a module %s, and says so with exit code 78", async (_, module, message) => {
  const failure = await openBrokerModule(module, context).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CommandFailed);
  const { exitCode, message: said } = failure as CommandFailed;
  expect([exitCode, said]).toEqual([78, expect.stringMatching(message)]);
  expect(said).toStartWith(`BROKER: module:${module}: `);
});

test.each([
  [
    "await new Promise(() => {}); export const openBroker = () => {};",
    "the module was not loaded within 10 s",
    () => true,
  ],
  [
    "export const openBroker = ({ telemetry }) => { telemetry.log('info', 'opening'); return new Promise(() => {}); };",
    "openBroker did not answer within 10 s",
    (telemetry: CollectingTelemetry) => telemetry.logs.length > 0,
  ],
])("openBrokerModule() gives up a module that never ends: %s", async (text, reason, isSo) => {
  const clock = new ManualClock();
  const telemetry = new CollectingTelemetry();
  const opening = openBrokerModule(moduleOf(text), { ...context, clock, telemetry });
  const failure = opening.catch((error: unknown) => error);
  const isOver = failure.then(() => true);
  // A module is loaded outside of the turns of the test.
  while (!(await Promise.race([isOver, Bun.sleep(5).then(() => false)])))
    if (isSo(telemetry)) clock.advance(10_000);
  expect(await failure).toBeInstanceOf(CommandFailed);
  expect(String(await failure)).toContain(reason);
});
