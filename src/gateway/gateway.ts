import type { PinoTelemetry } from "../adapters/telemetry/pino-telemetry.ts";
import type { BroadcastEvent } from "../application/broadcast-event.ts";
import type { CheckPositions } from "../application/check-positions.ts";
import type { DrainConnections } from "../application/drain-connections.ts";
import type { ExpireStaleConnections } from "../application/expire-stale-connections.ts";
import type { IngestBareMessage } from "../application/ingest-bare-message.ts";
import type { IngestInboxEntries } from "../application/ingest-inbox-entries.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { PubSubPort } from "../application/ports/pub-sub-port.ts";
import type { TokenVerifierPort } from "../application/ports/token-verifier-port.ts";
import type { WorkerChannelPort } from "../application/ports/worker-channel-port.ts";
import type { ReadAnalysis } from "../application/read-analysis.ts";
import type { ReadEvents } from "../application/read-events.ts";
import type { RecentRefusals } from "../application/recent-refusals.ts";
import type { SendHeartbeats } from "../application/send-heartbeats.ts";
import type { WatchInbox } from "../application/watch-inbox.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { SessionServices } from "../session/session-services.ts";
import type { Config } from "./config/config.ts";

/** The gateway, wired for a configuration: what `main` starts, and how it ends. */
export interface Gateway {
  readonly config: Config;
  readonly clock: ClockPort;
  readonly telemetry: PinoTelemetry;
  readonly pubSub: PubSubPort;
  readonly workers: WorkerChannelPort;
  readonly tokens: TokenVerifierPort;
  readonly registry: ConnectionRegistry;
  readonly heartbeats: SendHeartbeats;
  readonly expire: ExpireStaleConnections;
  readonly drain: DrainConnections;
  readonly broadcast: BroadcastEvent;
  readonly read: ReadAnalysis;
  readonly readEvents: ReadEvents;
  readonly ingest: IngestBareMessage;
  readonly ingestInbox: IngestInboxEntries;
  readonly inbox: WatchInbox;
  readonly checkPositions: CheckPositions;
  /** Empty for ever where the demo is off. */
  readonly refusals: RecentRefusals;
  readonly sessions: SessionServices;
  /** Closes the broker's connections, in the reverse order of their making. */
  close(): Promise<void>;
}
