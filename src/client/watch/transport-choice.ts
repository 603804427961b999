import type { TextStorage } from "./environment.ts";
import type { ChooseTransport, LiveConnection, Transport } from "./transport.ts";

/** So many failures in a row of a transport that has worked mean that it does not get through any more. */
const MOST_FAILURES = 3;
/** The first pause after which the best transport is tried beside a connection by another one; each further one is twice as long. */
const BETTER_MS = 60_000;

/** Chooses the first of these transports that gets through, and from then on that one. */
export function choiceOf(transports: readonly Transport[]): ChooseTransport {
  return (base, environment) => {
    const usable = transports.filter((transport) => transport.isSupported?.(environment) !== false);
    const key = `telltale:${base}`;
    const stored = <Value>(use: (storage: TextStorage) => Value): Value | undefined => {
      try {
        return use(environment.storage as TextStorage);
      } catch {
        // There is none, or it is blocked or full.
        return undefined;
      }
    };
    const known = stored((storage) => storage.getItem(key));
    const remembered = usable.findIndex(({ name }) => name === known);
    let index = Math.max(0, remembered);
    let lastWorked = remembered;
    let failures = 0;
    const forget = () => {
      index = failures = 0;
    };
    const tryBest = (live: LiveConnection, pauseMs: number) => {
      live.later(pauseMs, () => {
        const opened = () => {
          forget();
          live.renew();
        };
        const owner = { opened, heard() {}, took() {}, ended() {} };
        const better = (usable[0] as Transport).open(live.request, owner);
        live.finally(better.close);
        tryBest(live, pauseMs * 2);
      });
    };
    return {
      forget,
      next: () => usable[index] as Transport,
      worked(transport, live) {
        failures = 0;
        lastWorked = index = usable.indexOf(transport);
        stored((storage) => storage.setItem(key, transport.name));
        if (index > 0) tryBest(live, BETTER_MS);
      },
      failed() {
        failures += 1;
        if (lastWorked === index && failures < MOST_FAILURES) return;
        failures = 0;
        index = (index + 1) % usable.length;
      },
    };
  };
}
