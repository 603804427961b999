import { Redis } from "ioredis";

/** A client of the test's own that waits for a server which is killed, frozen or restarted, and never fails. */
export function patientClient({ url }: { readonly url: string }): Redis {
  const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  // A server that is being restarted refuses for a moment.
  client.on("error", () => {});
  return client;
}
