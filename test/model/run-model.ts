import type { ReadAnswer } from "../../src/application/read-analysis.ts";
import { type AnalysisChannel, analysisIdOf } from "../../src/domain/channel.ts";
import { CLOSE_CODES } from "../../src/domain/close-code.ts";
import { someGrant } from "../support/some-grant.ts";
import { must, stateOf } from "./judge.ts";
import { returnTo, type Step, take } from "./steps.ts";
import { checkWatcher } from "./verdict.ts";
import { CHANNELS, CLIENTS, World, type WorldOptions } from "./world.ts";

/** Every promise is kept again within this time of the last fault. */
const CONVERGED_WITHIN_MS = 30_000;
const RETURNS_EVERY_MS = 5_000;
const mayReadAll = someGrant({ analyses: "*" });
/** Close codes after which the contract has a client stay away. */
const FINAL: readonly number[] = [CLOSE_CODES.finished.code, CLOSE_CODES.forbidden.code];

/**
 * Takes the steps, mends everything, and compares what every client and reader has with the surviving log. Throws
 * `Broken` with the promise that does not hold. `tell` is given each step in words before the next one.
 */
export function runModel(
  options: WorldOptions,
  steps: readonly Step[],
  tell: (line: string) => void = () => {},
): void {
  const world = new World(options);
  for (const step of steps) take(world, step, tell);
  world.mend();
  world.settle();
  for (let passed = 0; passed < CONVERGED_WITHIN_MS; passed += RETURNS_EVERY_MS) {
    // A client that waited too long to be let in may be sent away once more.
    if (passed < CONVERGED_WITHIN_MS - RETURNS_EVERY_MS) comeBackAll(world);
    world.pass(RETURNS_EVERY_MS);
    world.settle();
  }
  check(world);
  // A channel may be quiet because nothing gets through: one more event must.
  for (const channel of CHANNELS) {
    const node = world.servingNode(0);
    if (node !== undefined)
      world.publishing.publish(node, world.publishing.makeKeyed(channel, ["model_inference"], 0));
  }
  world.pass(100);
  world.settle();
  check(world);
  leave(world);
}

function comeBackAll(world: World): void {
  for (let slot = 0; slot < CLIENTS; slot++) {
    const client = world.clients[slot];
    const node = world.servingNode(slot);
    if (client === undefined || node === undefined) continue;
    const end = client.connection?.end;
    if (end === undefined || (end !== "lost" && FINAL.includes(end.code))) continue;
    returnTo(world, slot, node);
    world.settle();
  }
}

function check(world: World): void {
  for (const client of world.clients) {
    const end = client?.connection?.end;
    must(
      end === undefined || (end !== "lost" && FINAL.includes(end.code)),
      "a client that comes back once all is mended is let in",
    );
  }
  for (const connection of world.connections) {
    const { asked } = connection;
    // A list of viewers that the broker lost does not refuse those whom it let in.
    const isDeclared = world.primary.viewersOf(asked.channel) !== undefined;
    must(
      !isDeclared || world.mayWatch(asked.user, asked.channel),
      "a watcher who may watch no longer is gone",
    );
    checkWatcher(connection, world.primary, world.everLost);
  }
  world.publishing.check(world.primary);
  for (const channel of CHANNELS) checkRead(world, channel);
  for (const node of world.nodes) {
    const watched = new Set(
      world.connections
        .filter((connection) => connection.node === node)
        .flatMap(({ asked }) => [asked.channel, `user:${asked.user}`, "system:updates"]),
    );
    const subscribed = node.pubSub.subscribed;
    must(
      JSON.stringify([...watched].sort()) === JSON.stringify([...subscribed].sort()),
      `a node is subscribed to the channels watched on it (${[...watched]}; ${subscribed})`,
    );
  }
}

/** The state that is read over HTTP is the fold of all events, however many were trimmed. */
function checkRead(world: World, channel: AnalysisChannel): void {
  let read: ReadAnswer | undefined;
  void world
    .node(0)
    .read.execute({
      analysisId: analysisIdOf(channel),
      grant: mayReadAll,
      abandoned: new AbortController().signal,
    })
    .then((answer) => {
      read = answer;
    });
  world.settle();
  const truth = stateOf(world.primary.logOf(channel), channel);
  must(
    read?.type === "state" && Bun.deepEquals(read.state, truth),
    "the state that is read is the fold of the surviving log",
  );
}

/** All clients leave, and nothing is left. */
function leave(world: World): void {
  for (const connection of world.connections) connection.lose();
  world.settle();
  for (const node of world.nodes) void node.inbox.stop();
  // A history that was read for returning clients is kept for a while.
  world.pass(11_000);
  world.settle();
  must(world.primary.listeners === 0, "nothing is left subscribed at the broker");
  for (const node of world.nodes) {
    must(node.feeds.size === 0, "no feed is left open");
    must(
      node.connections.size === 0 && node.registry.statistics().users === 0,
      "no connection is left in the registry",
    );
    must(node.clock.timers === node.permanentTimers, "no timer is left running");
  }
}
