import type { ClockPort } from "../../application/ports/clock-port.ts";

/** The machine's clock and timers. Its timers keep the process alive until they are cancelled. */
export class SystemClock implements ClockPort {
  now(): number {
    return Date.now();
  }

  every(milliseconds: number, task: () => void): () => void {
    const timer = setInterval(task, milliseconds);
    return () => clearInterval(timer);
  }

  after(milliseconds: number, task: () => void): () => void {
    const timer = setTimeout(task, milliseconds);
    return () => clearTimeout(timer);
  }

  soon(task: () => void): void {
    setImmediate(task);
  }
}
