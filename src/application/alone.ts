/** One of many that are served in one loop. */
export interface FailsAlone {
  /** Serving it threw: it logs the error and ends. Never throws. */
  failed(error: unknown): void;
}

/** Runs `serve` for one of many. If that throws, only that one fails. Answers whether it did not throw. */
export function alone<One extends FailsAlone>(one: One, serve: (one: One) => void): boolean {
  try {
    serve(one);
    return true;
  } catch (error) {
    one.failed(error);
    return false;
  }
}
