import { brokerFaults } from "./broker-faults.ts";
import { clusterFaults } from "./cluster-faults.ts";
import { failoverFaults } from "./failover-faults.ts";
import { gatewayFaults } from "./gateway-faults.ts";
import { natsFaults } from "./nats-faults.ts";
import { networkFaults } from "./network-faults.ts";
import { postgresFaults } from "./postgres-faults.ts";
import { redisFaults } from "./redis-faults.ts";
import type { Round } from "./round.ts";
import { sentinelFaults } from "./sentinel-faults.ts";
import type { StageName } from "./stage.ts";
import { trafficFaults } from "./traffic-faults.ts";

/** One way to break something, thrown into running traffic. */
export interface FaultKind {
  readonly name: string;
  readonly stage: StageName;
  /** How often in a full run of 500 rounds. */
  readonly rounds: number;
  /** Throws the fault and lifts it again; resolves when everything is whole, or about to be. */
  readonly strike: (round: Round) => Promise<void>;
  /** Brings its own traffic: none is running when it strikes. */
  readonly ownTraffic?: boolean;
}

/** A kind that can be thrown into the traffic of any broker. */
export type CommonFault = Omit<FaultKind, "stage">;

const commonFaults: readonly CommonFault[] = [
  ...brokerFaults,
  ...networkFaults,
  ...gatewayFaults,
  ...trafficFaults,
];

export const faultKinds: readonly FaultKind[] = [
  ...on("durable"),
  ...redisFaults,
  ...failoverFaults,
  ...sentinelFaults,
  ...clusterFaults,
  ...on("nats"),
  ...natsFaults,
  ...on("postgres"),
  ...postgresFaults,
];

function on(stage: StageName): FaultKind[] {
  return commonFaults.map((kind) => ({ ...kind, name: `${stage}: ${kind.name}`, stage }));
}
