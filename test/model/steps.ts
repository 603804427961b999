import fc from "fast-check";
import { userChannel } from "../../src/domain/channel.ts";
import { connect, readConnect, USERS } from "./connect-step.ts";
import type { ModelNode } from "./model-node.ts";
import type { Keyed } from "./publishing.ts";
import {
  analysisOf,
  at,
  attemptOf,
  channel,
  eventOf,
  kind,
  nodesIn,
  nothing,
  ofAnalysis,
  ofClient,
  ofNode,
  type StepKind,
  type StepNumbers,
} from "./step-kind.ts";
import { CLIENTS, type World } from "./world.ts";

/** One thing that happens: its kind, and the numbers from which the kind reads to whom and how. */
export interface Step extends StepNumbers {
  readonly kind: StepName;
}

export type StepName = keyof typeof STEPS;

const VIEWERS = ["*", ["alice"], ["bob"], []] as const;
const LOSSES = ["with all", "with what was saved", "with nothing"] as const;
const PASSING_MS = [100, 500, 1_000, 3_000, 6_000] as const;

/** Each with its weight. A failing run is shrunk to the steps at the top. */
const STEPS = {
  publish: kind(
    16,
    ({ a, b, c, d }) => ({ node: at(a), analysis: analysisOf(b), event: eventOf(c), attempt: attemptOf(d) }),
    (world, { node, analysis, event, attempt }) =>
      publish(world, node, world.publishing.makeKeyed(channel(analysis), [event], attempt)),
  ),
  publishBatch: kind(
    4,
    ({ a, b, c, d }) => ({
      node: at(a),
      analysis: analysisOf(b),
      events: Array.from({ length: 2 + (d % 7) }, (_, index) => eventOf(c + index * d)),
      attempt: attemptOf(d),
    }),
    (world, { node, analysis, events, attempt }) =>
      publish(world, node, world.publishing.makeKeyed(channel(analysis), events, attempt)),
  ),
  connect: kind(10, readConnect, connect),
  network: kind(
    30,
    ({ a, b }) => ({ node: at(a), choice: b }),
    (world, { node, choice }) => world.step(world.node(node), choice),
  ),
  hold: ofNode(3, (world, node) => world.hold(node)),
  flow: ofNode(4, (world, node) => world.flow(node)),
  publishAgain: kind(
    3,
    ({ a, b }) => ({ node: at(a), request: b }),
    (world, { node, request }) => {
      const { keyed } = world.publishing;
      const again = keyed[request % Math.max(1, keyed.length)];
      if (again !== undefined) publish(world, node, again);
    },
  ),
  bare: kind(6, readWorkersEvent, (world, { toOldBroker, analysis, event, attempt }) =>
    world.bare(world.publishing.makeBare(channel(analysis), event, attempt), toOldBroker),
  ),
  bareAgain: kind(
    6,
    ({ a, b }) => ({ message: b, toOldBroker: a % 2 === 1 }),
    (world, { message, toOldBroker }) => {
      const again = world.publishing.repeatBare(message);
      if (again !== undefined) world.bare(again, toOldBroker);
    },
  ),
  inbox: kind(3, readWorkersEvent, (world, { toOldBroker, analysis, event, attempt }) => {
    const entry = world.publishing.makeEntry(channel(analysis), event, attempt);
    if (world.addToInbox(entry.payload, toOldBroker)) world.publishing.entered(entry);
  }),
  notice: kind(
    1,
    ({ a, b }) => ({ node: at(a), user: USERS[b % USERS.length] as string }),
    (world, { node, user }) => {
      const body = JSON.stringify({ message: `for ${user}` });
      world
        .servingNode(node)
        ?.broadcast.execute(userChannel(user), body, undefined)
        .catch(() => {});
    },
  ),
  drop: ofClient(3, (world, client) => world.clients[client]?.connection?.lose()),
  comeBack: kind(
    6,
    ({ a, b }) => ({ client: a % CLIENTS, node: at(b) }),
    (world, { client, node }) => {
      const serving = world.servingNode(node);
      if (serving !== undefined) returnTo(world, client, serving);
    },
  ),
  readSlowly: kind(
    3,
    ({ a, b }) => ({ client: a % CLIENTS, frames: b % 4 }),
    (world, { client, frames }) => world.clients[client]?.connection?.takeOnly(frames),
  ),
  readOn: ofClient(3, (world, client) => world.clients[client]?.connection?.takeAll()),
  pass: kind(
    5,
    ({ a }) => ({ milliseconds: PASSING_MS[a % PASSING_MS.length] as number }),
    (world, { milliseconds }) => world.pass(milliseconds),
  ),
  freeze: ofNode(2, (world, node) => world.freeze(node)),
  thaw: ofNode(3, (world, node) => world.thaw(node)),
  cut: kind(
    2,
    ({ a, b }) => ({ node: at(a), links: (["both", "listening", "commands"] as const)[b % 3] ?? "both" }),
    (world, { node, links }) => world.cut(world.node(node), links),
  ),
  restore: ofNode(5, (world, node) => world.restore(node)),
  stallSubscription: ofNode(1, (world, node) => world.stallSubscription(node)),
  findStalled: ofNode(1, (world, node) => world.findStalled(node)),
  loseMessage: ofNode(2, (world, node) => world.loseOneMessage(node)),
  loseAnswers: ofNode(1, (_, node) => node.pubSub.loseAnswers()),
  save: kind(2, nothing, (world) => world.save()),
  kill: kind(
    2,
    ({ a }) => ({ comesBack: LOSSES[a % LOSSES.length] ?? "with all" }),
    (world, { comesBack }) => world.kill(comesBack),
  ),
  start: kind(
    6,
    ({ a }) => ({ reconnects: nodesIn(a) }),
    (world, { reconnects }) => world.start(reconnects),
  ),
  failOver: kind(
    2,
    ({ a, b }) => ({ stayWithOld: nodesIn(a), replicaLags: b % 2 === 1 }),
    (world, { stayWithOld, replicaLags }) => world.failOver(stayWithOld, replicaLags),
  ),
  rejoin: ofNode(2, (world, node) => world.rejoin(node)),
  newLineage: kind(1, nothing, (world) => world.primary.newLineage()),
  trim: kind(
    1,
    ({ a, b }) => ({ analysis: analysisOf(a), keep: b % 3 }),
    (world, { analysis, keep }) => world.spoil(channel(analysis), "trim", keep),
  ),
  lose: ofAnalysis(1, (world, analysis) => world.spoil(channel(analysis), "lose", 0)),
  expire: ofAnalysis(1, (world, analysis) => world.spoil(channel(analysis), "expire", 0)),
  full: kind(1, nothing, ({ primary }) => {
    primary.full = true;
  }),
  notFull: kind(3, nothing, ({ primary }) => {
    primary.full = false;
  }),
  viewers: kind(
    2,
    ({ a, b, c }) => ({ node: at(a), analysis: analysisOf(b), viewers: VIEWERS[c % VIEWERS.length] ?? "*" }),
    (world, { node, analysis, viewers }) => {
      world
        .servingNode(node)
        ?.pubSub.declareViewers(channel(analysis), viewers === "*" ? viewers : new Set(viewers))
        .catch(() => {});
    },
  ),
  drain: ofNode(1, (world, node) => world.replace(node, true)),
  killNode: ofNode(1, (world, node) => world.replace(node, false)),
} satisfies Record<string, StepKind>;

const NUMBER = fc.nat({ max: 63 });

export const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(
      ...(Object.entries(STEPS) as [StepName, StepKind][]).flatMap(([name, { weight }]) =>
        Array.from({ length: weight }, () => name),
      ),
    ),
    a: NUMBER,
    b: NUMBER,
    c: NUMBER,
    d: NUMBER,
  }),
  { minLength: 1, maxLength: 200, size: "max" },
);

/** Does one step and everything that follows from it by itself. `tell` is given the step in words. */
export function take(world: World, step: Step, tell: (line: string) => void): void {
  const { run, print }: StepKind = STEPS[step.kind];
  const outcome = run(world, step);
  tell(`${step.kind}${print(step)}${outcome === undefined ? "" : `: ${outcome}`}`);
  world.settle();
}

/** The client asks again as every client should: with the last event_id that it saw. */
export function returnTo(world: World, slot: number, node: ModelNode): void {
  const client = world.clients[slot];
  if (client === undefined) return;
  const { asked, lastSeen } = client;
  world.connect(slot, node, { ...asked, after: lastSeen ?? asked.after, continues: lastSeen !== undefined });
}

function publish(world: World, node: number, keyed: Keyed): void {
  const serving = world.servingNode(node);
  if (serving !== undefined) world.publishing.publish(serving, keyed);
}

function readWorkersEvent({ a, b, c, d }: StepNumbers) {
  return { analysis: analysisOf(b), event: eventOf(c), attempt: attemptOf(d), toOldBroker: a % 2 === 1 };
}
