import { drainMicrotasks } from "bun:jsc";
import type { ClockPort } from "../../src/application/ports/clock-port.ts";

interface Timer {
  due: number;
  readonly period: number | undefined;
  readonly task: () => void;
}

/** One time for everybody. Each process has a clock of its own on it, which stops while the process is frozen. */
export class ModelTime {
  now = Date.UTC(2026, 10, 24);
  readonly #clocks = new Set<ProcessClock>();

  clock(): ProcessClock {
    const clock = new ProcessClock(this);
    this.#clocks.add(clock);
    return clock;
  }

  /** The process is gone, and its timers with it. */
  forget(clock: ProcessClock): void {
    this.#clocks.delete(clock);
  }

  /** Runs the timers that fall due, in order of time, and after each one everything that follows from it. */
  advance(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      let next: ProcessClock | undefined;
      for (const clock of this.#clocks) if (clock.due < (next?.due ?? end + 1)) next = clock;
      if (next === undefined) break;
      this.now = Math.max(this.now, next.due);
      next.runNext();
      drainMicrotasks();
    }
    this.now = end;
  }
}

export class ProcessClock implements ClockPort {
  frozen = false;
  readonly #time: ModelTime;
  readonly #timers: Timer[] = [];

  constructor(time: ModelTime) {
    this.#time = time;
  }

  /** When the next timer is due; never, while frozen. */
  get due(): number {
    return this.frozen ? Number.POSITIVE_INFINITY : (this.#next()?.due ?? Number.POSITIVE_INFINITY);
  }

  get timers(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#time.now;
  }

  every(milliseconds: number, task: () => void): () => void {
    return this.#add({ due: this.now() + milliseconds, period: milliseconds, task });
  }

  after(milliseconds: number, task: () => void): () => void {
    return this.#add({ due: this.now() + milliseconds, period: undefined, task });
  }

  soon(task: () => void): void {
    queueMicrotask(task);
  }

  /** A timer that was overslept runs once, however often it would have been due. */
  runNext(): void {
    const timer = this.#next();
    if (timer === undefined) return;
    if (timer.period === undefined) this.#remove(timer);
    else timer.due = this.now() + timer.period;
    timer.task();
  }

  #add(timer: Timer): () => void {
    this.#timers.push(timer);
    return () => this.#remove(timer);
  }

  #remove(timer: Timer): void {
    const index = this.#timers.indexOf(timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.due < next.due) next = timer;
    return next;
  }
}
