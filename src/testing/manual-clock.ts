import { setImmediate } from "node:timers";
import type { ClockPort } from "../application/ports/clock-port.ts";

interface Timer {
  due: number;
  readonly period: number | undefined;
  readonly task: () => void;
}

/** A clock that moves only if a test moves it. Tasks that fall due run in order of time, each at its own time. */
export class ManualClock implements ClockPort {
  #now: number;
  readonly #timers = new Set<Timer>();

  constructor(now = Date.UTC(2026, 10, 24)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  every(milliseconds: number, task: () => void): () => void {
    return this.#add({ due: this.#now + milliseconds, period: milliseconds, task });
  }

  after(milliseconds: number, task: () => void): () => void {
    return this.#add({ due: this.#now + milliseconds, period: undefined, task });
  }

  /** Runs the task though the clock does not move. */
  soon(task: () => void): void {
    setImmediate(task);
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#now = timer.due;
      if (timer.period === undefined) this.#timers.delete(timer);
      else timer.due += timer.period;
      timer.task();
    }
    this.#now = end;
  }

  /** Moves the clock as for a process that was frozen: each task that fell due runs once, now. */
  freeze(milliseconds: number): void {
    this.#now += milliseconds;
    for (const timer of [...this.#timers]) {
      if (timer.due > this.#now) continue;
      if (timer.period === undefined) this.#timers.delete(timer);
      else timer.due = this.#now + timer.period;
      timer.task();
    }
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
    }
    return next;
  }
}
