import type { Redis } from "ioredis";
import { BrokerError, BrokerUnavailable } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { SlotRange } from "./cluster-slots.ts";
import { type ClusterTarget, connect, connected } from "./redis-connection.ts";
import { readFailure } from "./redis-errors.ts";
import type { ClusterAddress } from "./slot-owners.ts";

/** Slots, and the servers that have them, the primary first. */
export interface OwnedSlots {
  readonly slots: SlotRange;
  readonly servers: readonly [primary: ClusterAddress, ...replicas: ClusterAddress[]];
}

/** The answer of a server of a Cluster. */
interface ClusterReading {
  readonly answered: ClusterAddress;
  readonly owned: readonly OwnedSlots[];
}

/** A server that has not answered for so long is not waited for alone. */
const ASK_NEXT_MS = 200;
/** As long as one command may take, so that an append that waits for the owners is answered in time. */
const ANSWER_WITHIN_MS = 2_000;

/**
 * Asks the servers for the owners of all slots, in their order: the next one each time that one has failed, or has not
 * answered for 200 ms. A server that is cut off from most others may name old owners: its answer counts only if no other
 * comes. If none has come after two seconds, it rejects with `BrokerUnavailable`, which says what is wrong with the
 * last server that failed.
 */
export async function readClusterSlots(
  target: ClusterTarget,
  servers: readonly ClusterAddress[],
  clock: ClockPort,
): Promise<ClusterReading> {
  const answer = Promise.withResolvers<ClusterReading>();
  const open = new Map<ClusterAddress, Redis>();
  const toAsk = [...servers];
  let doubtful: ClusterReading | undefined;
  let failure: unknown = new BrokerUnavailable("no server of the Cluster answers", {
    trouble: { cause: "silent" },
  });
  const giveUp = () => (doubtful === undefined ? answer.reject(failure) : answer.resolve(doubtful));
  let stopWaiting = () => {};
  const askNext = () => {
    stopWaiting();
    const answered = toAsk.shift();
    if (answered === undefined) {
      if (open.size === 0) giveUp();
      return;
    }
    stopWaiting = clock.after(ASK_NEXT_MS, askNext);
    void askServer(target, answered, open).then(
      ({ owned, isUp }) => {
        if (isUp) return answer.resolve({ answered, owned });
        doubtful ??= { answered, owned };
        askNext();
      },
      (error) => {
        failure = error;
        askNext();
      },
    );
  };
  const stop = clock.after(ANSWER_WITHIN_MS, giveUp);
  askNext();
  try {
    return await answer.promise;
  } finally {
    stop();
    toAsk.length = 0;
    stopWaiting();
    for (const redis of open.values()) redis.disconnect();
  }
}

/** `open` has the connection for as long as it waits for its answer. */
async function askServer(
  { cluster: _, ...user }: ClusterTarget,
  server: ClusterAddress,
  open: Map<ClusterAddress, Redis>,
): Promise<{ readonly owned: readonly OwnedSlots[]; readonly isUp: boolean }> {
  const target = { ...user, ...server };
  const redis = connect(target, "slots", () => null);
  open.set(server, redis);
  try {
    await connected(redis, target);
    return await slotsAt(redis, server);
  } catch (error) {
    const failure = error instanceof BrokerError ? error : readFailure(error);
    if (!(failure instanceof BrokerError)) throw failure;
    const { trouble, message } = failure;
    const hint = message.includes("cluster support disabled") ? "; use redis:// in REDIS_URL" : "";
    throw new BrokerUnavailable(`${server.host}:${server.port}: ${message}${hint}`, {
      cause: error,
      trouble,
    });
  } finally {
    open.delete(server);
    redis.disconnect();
  }
}

async function slotsAt(redis: Redis, asked: ClusterAddress) {
  const [slots, info] = await Promise.allSettled([redis.cluster("SLOTS"), redis.cluster("INFO")]);
  if (slots.status === "rejected") throw slots.reason;
  const owned = ownedSlots(slots.value, asked);
  if (owned.length === 0)
    throw new BrokerUnavailable("it knows no owner of any slot", { trouble: { cause: "cluster" } });
  // A managed Cluster may not say how it is.
  return { owned, isUp: info.status === "rejected" || !String(info.value).includes("cluster_state:fail") };
}

/** Reads the answer to CLUSTER SLOTS. A server whose host is not told has that of the server that was asked. */
export function ownedSlots(answer: readonly unknown[], asked: ClusterAddress): OwnedSlots[] {
  return answer.flatMap((row) => {
    const [first, last, ...nodes] = row as [
      first: number,
      last: number,
      ...nodes: [host: unknown, port: unknown][],
    ];
    const [primary, ...replicas] = nodes.map(([host, port]) => ({
      host: host === null || host === "" || host === "?" ? asked.host : String(host),
      port: Number(port),
    }));
    return primary === undefined
      ? []
      : [{ slots: [first, last] as const, servers: [primary, ...replicas] as const }];
  });
}
