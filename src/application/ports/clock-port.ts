/** Time and timers, so that nothing in the core waits for a real second. */
export interface ClockPort {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Runs `task` every `milliseconds` until the returned function is called. A task never overlaps itself. */
  every(milliseconds: number, task: () => void): () => void;
  /** Runs `task` once after `milliseconds`, unless the returned function is called before. */
  after(milliseconds: number, task: () => void): () => void;
  /** Runs `task` once in a later turn of the event loop: whatever has arrived meanwhile is attended to before. */
  soon(task: () => void): void;
}
