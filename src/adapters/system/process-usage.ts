import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";

/** The time between two looks at the event loop, in milliseconds. */
const LOOK_MS = 100;

/** Measures what this process takes: processor time, memory, and how long its event loop was busy with one thing. */
export class ProcessUsage {
  readonly #telemetry: TelemetryPort;
  readonly #timer: ReturnType<typeof setInterval>;
  #lookedAt = performance.now();
  #cpuSeconds = 0;

  /** Begins to look at the event loop. */
  constructor(telemetry: TelemetryPort) {
    this.#telemetry = telemetry;
    telemetry.set("telltale_process_start_time_seconds", {}, performance.timeOrigin / 1_000);
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Sets everything but the delay of the event loop, which is measured by itself. */
  measure(): void {
    this.#telemetry.set("telltale_process_resident_memory_bytes", {}, process.memoryUsage().rss);
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system) / 1_000_000;
    this.#telemetry.count(
      "telltale_process_cpu_seconds_total",
      {},
      Math.max(0, cpuSeconds - this.#cpuSeconds),
    );
    this.#cpuSeconds = cpuSeconds;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The clock of this process is never set, so only a busy loop, or a process that was held, makes it late. */
  #look(): void {
    const now = performance.now();
    const late = Math.max(0, now - this.#lookedAt - LOOK_MS);
    this.#lookedAt = now;
    this.#telemetry.observe("telltale_event_loop_delay_seconds", {}, late / 1_000);
  }
}
