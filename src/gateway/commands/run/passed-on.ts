import type { Readable } from "node:stream";
import { passOn } from "../standard-streams.ts";

/** An output of a program that is passed on as it comes. */
export interface PassedOn {
  /**
   * The program has ended. Resolves when all that it wrote was passed on. Something that it has started may hold the output
   * open, and write to it: that is passed on too, for at most a moment.
   */
  readonly finish: () => Promise<void>;
}

/** The output is waited for until nothing was written for so long, */
const QUIET_MS = 500;
/** at most for so long, without the time in which its reader takes it, */
const MOST_MS = 1_000;
/** or until so much came: more than a pipe and a runtime hold, so that the program's own was in it. */
const MOST_BYTES = 2 * 1024 * 1024;
const LOOK_MS = 50;

/** Passes on an output to the stream of this process that has this name. `onChunk` gets each piece after that. */
export function passedOn(
  stream: Readable,
  name: "stdout" | "stderr",
  onChunk: (chunk: Uint8Array) => void,
): PassedOn {
  let [isWriting, heardAt, bytes] = [false, performance.now(), 0];
  const whole = (async () => {
    try {
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        heardAt = performance.now();
        isWriting = true;
        const isRead = await passOn(chunk, name);
        isWriting = false;
        bytes += chunk.length;
        onChunk(chunk);
        // The program is to find out as well that nobody reads it any more.
        if (!isRead) break;
      }
    } catch (error) {
      // Ended by `finish`, or by the other side.
      if (!stream.destroyed) throw error;
    }
  })();
  return {
    async finish() {
      let timer: ReturnType<typeof setInterval> | undefined;
      let waitedMs = 0;
      const most = bytes + MOST_BYTES;
      const over = new Promise<void>((resolve) => {
        timer = setInterval(() => {
          if (bytes >= most) resolve();
          if (isWriting) return;
          waitedMs += LOOK_MS;
          if (waitedMs >= MOST_MS || performance.now() - heardAt >= QUIET_MS) resolve();
        }, LOOK_MS);
      });
      await Promise.race([whole, over]);
      clearInterval(timer);
      stream.destroy();
    },
  };
}
