import type { ChooseTransport } from "../watch/transport.ts";
import { chooseAnyTransport } from "./leader.ts";
import { canShare } from "./tab-group.ts";
import { tabTransport } from "./tab-transport.ts";

/**
 * The option `share` of a watch: all tabs of an origin whose tokens say the same of their user have one connection to the gateway. If the
 * runtime cannot share, each tab has its own.
 */
export const tabs: ChooseTransport = (base, environment) =>
  canShare()
    ? { next: () => tabTransport, worked() {}, failed() {}, forget() {} }
    : chooseAnyTransport(base, environment);
