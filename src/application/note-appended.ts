import type { ChannelName } from "../domain/channel.ts";
import { formatEventId } from "../domain/event-position.ts";
import type { LabelsOf } from "./ports/metric-names.ts";
import type { AppendOutcome } from "./ports/pub-sub-port.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";

type Lane = LabelsOf<"telltale_publish_total">["lane"];
type Appended = Exclude<AppendOutcome, { readonly type: "refused" }>;

/** Counts what the broker took of one request, and writes it at debug. A repeated request counts once. */
export function noteAppended(
  telemetry: TelemetryPort,
  lane: Lane,
  channel: ChannelName,
  { type, epoch, firstOffset, count }: Appended,
): void {
  telemetry.count("telltale_publish_total", { lane, outcome: type }, type === "duplicate" ? 1 : count);
  const event_id = formatEventId({ epoch, offset: firstOffset });
  telemetry.log("debug", type === "duplicate" ? "events came again" : "events were stored", {
    lane,
    channel,
    event_id,
    count,
  });
}
