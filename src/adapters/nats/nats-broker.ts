import type { BrokerPorts } from "../../application/ports/broker-ports.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { OutageLog } from "../broker/outage-log.ts";
import type { HistoryLimits } from "./channel-appends.ts";
import type { NatsTarget } from "./nats-connection.ts";
import { NatsDeadLetters } from "./nats-dead-letters.ts";
import { NatsInbox } from "./nats-inbox.ts";
import { NatsPubSub } from "./nats-pub-sub.ts";
import { NatsSelfCheck } from "./nats-self-check.ts";
import type { WorkerKind } from "./worker-subjects.ts";

interface NatsBrokerOptions {
  readonly target: NatsTarget;
  readonly history: HistoryLimits;
  /** The workers' channels that the stream of the inbox keeps, beside those that it has already. */
  readonly listen: ReadonlySet<WorkerKind>;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/**
 * Every port on one NATS. Their connections tell an outage once. There are no worker channels to listen to: a stream keeps
 * the plain messages of workers, and the inbox takes them.
 */
export function openNatsBroker({ history, listen, ...connected }: NatsBrokerOptions): BrokerPorts {
  const shared = { ...connected, outages: new OutageLog(connected.clock, connected.telemetry) };
  const events = new NatsPubSub({ ...shared, history });
  return {
    events,
    running: events.running,
    deadLetters: new NatsDeadLetters(shared),
    inbox: new NatsInbox({
      ...shared,
      listen: [...listen],
      signOfLife: (channel, attemptId) => events.signOfLife(channel, attemptId),
    }),
    selfCheck: () => new NatsSelfCheck(connected.target, [...listen]),
  };
}
