import { callApi } from "./nats-api.ts";
import type { NatsRequests } from "./nats-connection.ts";

/** How full a stream is. */
export interface StreamState {
  readonly messages: number;
  readonly bytes: number;
  /** The sequence of the newest message that the stream has had. */
  readonly last_seq: number;
}

/** Rejects as a call does. */
export async function streamState(link: NatsRequests, stream: string): Promise<StreamState> {
  const { state } = await callApi<{ readonly state: StreamState }>(link, `STREAM.INFO.${stream}`);
  return state;
}
