import { reasonOf } from "../errors.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";

const RETRY_MS = 500;

/** Asks again until there is an answer. Resolves with undefined once `isOver` says so. Never rejects. */
export async function untilAnswered<Answer>(
  ask: () => Promise<Answer>,
  isOver: () => boolean,
  { clock, telemetry }: { readonly clock: ClockPort; readonly telemetry: TelemetryPort },
): Promise<Answer | undefined> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      telemetry.log("debug", "a replay waits for the broker", { message: reasonOf(error) });
    }
    await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
    if (isOver()) return undefined;
  }
}
