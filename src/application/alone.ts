/** One of many that are served in one go. */
export interface FailsAlone {
  /** Something of it threw: it is logged and ended. Never throws. */
  failed(error: unknown): void;
}

/**
 * Runs `serve` for one of many. If that throws, that one is told so, and the others are served all the same; answers
 * whether it did not throw.
 */
export function alone<One extends FailsAlone>(one: One, serve: (one: One) => void): boolean {
  try {
    serve(one);
    return true;
  } catch (error) {
    one.failed(error);
    return false;
  }
}
