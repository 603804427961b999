import { eventStream, longPoll } from "../watch/event-stream-transport.ts";
import type { ChooseTransport } from "../watch/transport.ts";
import { choiceOf } from "../watch/transport-choice.ts";
import { webSocket } from "../watch/web-socket-transport.ts";
import { canShare } from "./tab-group.ts";
import { tabTransport } from "./tab-transport.ts";

const chooseAnyTransport = choiceOf([webSocket, eventStream, longPoll]);

/**
 * The option `share` of a watch: all tabs of an origin whose tokens say the same of their user have one connection to the gateway. If the
 * page cannot share, the tab has its own.
 */
export const tabs: ChooseTransport = (base, environment) => {
  const own = chooseAnyTransport(base, environment);
  let isSharing = canShare();
  const shared = tabTransport(own, () => {
    isSharing = false;
  });
  return {
    next: () => (isSharing ? shared : own.next()),
    worked(transport, live) {
      if (transport !== shared) own.worked(transport, live);
    },
    failed() {
      if (!isSharing) own.failed();
    },
    forget() {
      isSharing = canShare();
      own.forget();
    },
  };
};
