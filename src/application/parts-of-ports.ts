import type { AnalysisChannel } from "../domain/channel.ts";
import type { BrokerPorts } from "./ports/broker-ports.ts";
import type { BrokerPart } from "./ports/broker-self-check.ts";

/** The parts of any broker, each tried by questions of its ports that store nothing. */
export function partsOfPorts({ events, deadLetters, inbox, workerChannels }: BrokerPorts): BrokerPart[] {
  const nobodys: AnalysisChannel = `analysis:${crypto.randomUUID()}`;
  return [
    part("history", "events and viewers can be read", async () => {
      await events.history(nobodys, undefined, 1);
      await events.snapshot(nobodys);
      await events.positions([nobodys]);
      await events.viewers(nobodys);
    }),
    part("subscribe", "events can be heard", async () => {
      const subscription = await events.subscribe(nobodys, DEAF);
      await subscription.unsubscribe();
    }),
    part("dead letters", "they can be read", async () => {
      for await (const _ of deadLetters.read("newest")) break;
    }),
    ...(inbox === undefined
      ? []
      : [part("inbox", "it can be read", async () => void (await inbox.backlog()))]),
    ...(workerChannels === undefined
      ? []
      : [part("worker channels", "declared, and not tried: only a gateway listens to them", async () => {})]),
  ];
}

const DEAF = { event() {}, viewersChanged() {}, cancelRequested() {}, linkRestored() {} };

function part(name: string, detail: string, ask: () => Promise<void>): BrokerPart {
  return {
    name,
    async try() {
      await ask();
      return { works: true, detail };
    },
  };
}
