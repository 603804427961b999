/**
 * The world of a page of the fault rounds. It is imported before all else, so that whatever reads the runtime's own functions gets these,
 * which count what is left behind, step the clock and draw from the schedule's seed.
 */
export const world = {
  /** Milliseconds by which the clock of the machine was set wrong. */
  clockOffset: 0,
  random: Math.random,
  isStorageFull: false,
  timers: countTimers(),
  listening: countListeners(),
  sockets: noteSockets(),
};

const { now } = Date;
Date.now = () => now() + world.clockOffset;
Math.random = () => world.random();
const { setItem } = Storage.prototype;
Storage.prototype.setItem = function (...given) {
  if (world.isStorageFull) throw new DOMException("full", "QuotaExceededError");
  setItem.apply(this, given);
};

/** Those that nobody closed. A browser waits long for a peer that is gone. */
export function openSockets(): number {
  return world.sockets.filter(({ readyState }) => readyState < WebSocket.CLOSING).length;
}

/** Those that tabs hold or wait for. */
export async function locks(): Promise<number> {
  const { held = [], pending = [] } = await navigator.locks.query();
  return held.length + pending.length;
}

/** Those that are set and have not run. */
function countTimers(): Set<unknown> {
  const pending = new Set<unknown>();
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const counted = (task: () => void, ms?: number) => {
    const timer = set(() => {
      pending.delete(timer);
      task();
    }, ms);
    pending.add(timer);
    return timer;
  };
  const cleared = (timer: ReturnType<typeof setTimeout>) => {
    pending.delete(timer);
    clear(timer);
  };
  Object.assign(globalThis, { setTimeout: counted, clearTimeout: cleared });
  return pending;
}

/** The library listens to events of the page as a whole, React to those of its own elements. */
function countListeners(): { count: number } {
  const counter = { count: 0 };
  const { addEventListener: add, removeEventListener: remove } = globalThis;
  Object.assign(globalThis, {
    addEventListener(...given: Parameters<typeof add>) {
      counter.count += 1;
      add(...given);
    },
    removeEventListener(...given: Parameters<typeof remove>) {
      counter.count -= 1;
      remove(...given);
    },
  });
  return counter;
}

/** The constructor of the page notes them all. */
function noteSockets(): WebSocket[] {
  const made: WebSocket[] = [];
  const Own = globalThis.WebSocket;
  class Noted extends Own {
    constructor(...given: ConstructorParameters<typeof Own>) {
      super(...given);
      made.push(this);
    }
  }
  Object.assign(globalThis, { WebSocket: Noted });
  return made;
}
