import type { GivenPosition } from "../../src/domain/event-position.ts";
import { type Asked, NO_EPOCH } from "./model-client.ts";
import { analysisOf, at, channel, type StepNumbers } from "./step-kind.ts";
import { CLIENTS, type World } from "./world.ts";

export const USERS = ["alice", "bob"];
const MODES = ["latest", "all", "none", "state"] as const;

/** How a client connects, and what it asks for. */
export function readConnect({ a, b, c, d }: StepNumbers) {
  const many = d >> 4 === 3;
  return {
    node: at(b),
    client: a % CLIENTS,
    user: USERS[(a >> 4) % 2] as string,
    analysis: analysisOf(a >> 3),
    replay: MODES[c % 4] as Asked["mode"],
    conflates: (c >> 2) % 2 === 0,
    untilTerminal: (c >> 3) % 4 === 3 && !many,
    many,
    after: (c >> 5) % 2 === 0 ? "nothing" : readPosition(d),
  } as const;
}

/** A position that a client might give: the beginning, nonsense, or any that ever was. */
function readPosition(pick: number) {
  if (pick % 8 === 0) return "the beginning";
  if (pick % 8 === 1) return "unreadable";
  if (pick % 8 === 2) return "an unknown epoch";
  return { event: pick >> 3, ofBroker: pick } as const;
}

export function connect(world: World, asked: ReturnType<typeof readConnect>): void {
  const node = world.servingNode(asked.node);
  if (node === undefined) return;
  const { client, user, conflates, untilTerminal, many } = asked;
  world.connect(client, node, {
    user,
    channel: channel(asked.analysis),
    mode: asked.replay,
    conflates,
    untilTerminal,
    many,
    after: positionOf(world, asked),
    continues: false,
  });
}

function positionOf(world: World, asked: ReturnType<typeof readConnect>): GivenPosition | undefined {
  const { after } = asked;
  if (after === "nothing") return undefined;
  if (after === "the beginning") return { epoch: "", offset: 0 };
  if (after === "unreadable") return "unreadable";
  if (after === "an unknown epoch") return { epoch: NO_EPOCH, offset: 3 };
  const servers = world.servers();
  const log = servers[after.ofBroker % servers.length]?.logOf(channel(asked.analysis)) ?? [];
  return log[after.event % Math.max(1, log.length)]?.position ?? { epoch: "", offset: 0 };
}
