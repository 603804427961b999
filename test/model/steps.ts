import fc from "fast-check";
import { userChannel } from "../../src/domain/channel.ts";
import type { GivenPosition } from "../../src/domain/event-position.ts";
import { type Asked, NO_EPOCH } from "./model-client.ts";
import { KINDS, type Kind } from "./publishing.ts";
import { CHANNELS, CLIENTS, type World } from "./world.ts";

/** What can happen next: its name, and four numbers that say to whom and how. */
export interface Step {
  readonly what: What;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

export type What = keyof typeof STEPS;

type Act = (world: World, step: Step) => void;

const USERS = ["alice", "bob"];
const MODES = ["latest", "all", "none"] as const;
const VIEWERS = ["*", ["alice"], ["bob"], []] as const;

/** Each with its weight; those at the top are the ones that a failing run is shrunk to. */
const STEPS = {
  publish: [16, publish],
  publishBatch: [
    4,
    (world, { a, b, c, d }) => {
      const kinds = Array.from({ length: 2 + (d % 7) }, (_, index) => kindOf(c + index * d));
      sendKeyed(world, a, world.publishing.makeKeyed(channelOf(b), kinds, d));
    },
  ],
  connect: [10, connect],
  network: [30, (world, { a, b }) => world.step(world.node(a), b)],
  hold: [3, (world, { a }) => world.hold(world.node(a))],
  flow: [4, (world, { a }) => world.flow(world.node(a))],
  publishAgain: [
    3,
    (world, { a, b }) => {
      const { keyed } = world.publishing;
      const again = keyed[b % Math.max(1, keyed.length)];
      if (again !== undefined) sendKeyed(world, a, again);
    },
  ],
  bare: [
    6,
    (world, { a, b, c, d }) => {
      world.bare(world.publishing.makeBare(channelOf(b), kindOf(c), d), a % 2 === 1);
    },
  ],
  bareAgain: [
    6,
    (world, { a, b }) => {
      const again = world.publishing.repeatBare(b);
      if (again !== undefined) world.bare(again, a % 2 === 1);
    },
  ],
  inbox: [
    3,
    (world, { a, b, c, d }) => {
      const entry = world.publishing.makeEntry(channelOf(b), kindOf(c), d);
      if (world.addToInbox(entry.payload, a % 2 === 1)) world.publishing.entered(entry);
    },
  ],
  notice: [
    1,
    (world, { a, b }) => {
      const user = USERS[b % USERS.length] as string;
      const body = JSON.stringify({ message: `for ${user}` });
      world
        .servingNode(a)
        ?.broadcast.execute(userChannel(user), body, undefined)
        .catch(() => {});
    },
  ],
  drop: [3, (world, { a }) => world.clients[a % CLIENTS]?.connection?.lose()],
  comeBack: [6, comeBack],
  readSlowly: [3, (world, { a, b }) => world.clients[a % CLIENTS]?.connection?.takeOnly(b % 4)],
  readOn: [3, (world, { a }) => world.clients[a % CLIENTS]?.connection?.takeAll()],
  pass: [5, (world, { a }) => world.pass([100, 500, 1_000, 3_000, 6_000][a % 5] as number)],
  freeze: [2, (world, { a }) => world.freeze(world.node(a))],
  thaw: [3, (world, { a }) => world.thaw(world.node(a))],
  cut: [2, (world, { a, b }) => world.cut(world.node(a), b)],
  restore: [5, (world, { a }) => world.restore(world.node(a))],
  deafen: [1, (world, { a }) => world.deafen(world.node(a))],
  undeafen: [1, (world, { a }) => world.undeafen(world.node(a))],
  loseMessage: [2, (world, { a }) => world.loseOneMessage(world.node(a))],
  loseAnswers: [1, (world, { a }) => world.node(a).pubSub.loseAnswers()],
  save: [2, (world) => world.save()],
  kill: [
    2,
    (world, { a }) =>
      world.kill((["with all", "with what was saved", "with nothing"] as const)[a % 3] as "with all"),
  ],
  start: [6, (world, { a }) => world.start(a)],
  failOver: [2, (world, { a, b }) => world.failOver(a, b % 2 === 1)],
  rejoin: [2, (world, { a }) => world.rejoin(world.node(a))],
  newLine: [1, (world) => world.primary.newLine()],
  trim: [1, (world, { a, b }) => world.spoil(channelOf(a), "trim", b % 3)],
  lose: [1, (world, { a }) => world.spoil(channelOf(a), "lose", 0)],
  expire: [1, (world, { a }) => world.spoil(channelOf(a), "expire", 0)],
  full: [
    1,
    (world) => {
      world.primary.full = true;
    },
  ],
  notFull: [
    3,
    (world) => {
      world.primary.full = false;
    },
  ],
  viewers: [
    2,
    (world, { a, b, c }) => {
      const viewers = VIEWERS[c % VIEWERS.length] ?? "*";
      world
        .servingNode(a)
        ?.pubSub.declareViewers(channelOf(b), viewers === "*" ? viewers : new Set(viewers))
        .catch(() => {});
    },
  ],
  drain: [1, (world, { a }) => world.replace(world.node(a), true)],
  killNode: [1, (world, { a }) => world.replace(world.node(a), false)],
} satisfies Record<string, [number, Act]>;

const NUMBER = fc.nat({ max: 63 });

export const steps = fc.array(
  fc.record({
    what: fc.constantFrom(
      ...(Object.entries(STEPS) as [What, [number, Act]][]).flatMap(([what, [weight]]) =>
        Array.from({ length: weight }, () => what),
      ),
    ),
    a: NUMBER,
    b: NUMBER,
    c: NUMBER,
    d: NUMBER,
  }),
  { minLength: 1, maxLength: 200, size: "max" },
);

export function take(world: World, step: Step): void {
  const [, act] = STEPS[step.what] as [number, Act];
  act(world, step);
  world.settle();
}

function publish(world: World, { a, b, c, d }: Step): void {
  sendKeyed(world, a, world.publishing.makeKeyed(channelOf(b), [kindOf(c)], d));
}

function sendKeyed(world: World, node: number, keyed: World["publishing"]["keyed"][number]): void {
  const serving = world.servingNode(node);
  if (serving !== undefined) world.publishing.publish(serving, keyed);
}

function connect(world: World, { a, b, c, d }: Step): void {
  const node = world.servingNode(b);
  if (node === undefined) return;
  const slot = a % CLIENTS;
  const channel = channelOf(a >> 3);
  const many = d >> 4 === 3;
  world.connect(slot, node, {
    user: USERS[(a >> 4) % 2] as string,
    channel,
    mode: MODES[c % 3] as Asked["mode"],
    conflates: (c >> 2) % 2 === 0,
    untilTerminal: (c >> 3) % 4 === 3 && !many,
    many,
    after: (c >> 5) % 2 === 0 ? undefined : someposition(world, channel, d),
    continues: false,
  });
}

/** A position that a client might give: the beginning, nonsense, or any that ever was. */
function someposition(world: World, channel: Asked["channel"], pick: number): GivenPosition {
  if (pick % 8 === 0) return { epoch: "", offset: 0 };
  if (pick % 8 === 1) return "unreadable";
  if (pick % 8 === 2) return { epoch: NO_EPOCH, offset: 3 };
  const log = world.servers()[pick % world.servers().length]?.logOf(channel) ?? [];
  return log[(pick >> 3) % Math.max(1, log.length)]?.position ?? { epoch: "", offset: 0 };
}

function comeBack(world: World, { a, b }: Step): void {
  const slot = a % CLIENTS;
  const client = world.clients[slot];
  const node = world.servingNode(b);
  if (client === undefined || node === undefined) return;
  returnTo(world, slot, node);
}

/** As every client should: with the last event_id it saw. */
export function returnTo(
  world: World,
  slot: number,
  node: NonNullable<ReturnType<World["servingNode"]>>,
): void {
  const client = world.clients[slot];
  if (client === undefined) return;
  const { asked, lastSeen } = client;
  world.connect(slot, node, { ...asked, after: lastSeen ?? asked.after, continues: lastSeen !== undefined });
}

function channelOf(pick: number): Asked["channel"] {
  // Mostly the same one, so that much happens to it; the other shows that channels do not mix.
  return CHANNELS[pick % 4 === 3 ? 1 : 0] as Asked["channel"];
}

function kindOf(pick: number): Kind {
  return KINDS[pick % KINDS.length] as Kind;
}
