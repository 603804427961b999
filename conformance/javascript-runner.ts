import { eventStream, longPoll } from "../src/client/watch/event-stream-transport.ts";
import { withCancel } from "../src/client/watch/request-cancel.ts";
import type { Transport } from "../src/client/watch/transport.ts";
import { choiceOf } from "../src/client/watch/transport-choice.ts";
import { watchOver } from "../src/client/watch/watch.ts";
import type { AnalysisWatch } from "../src/client/watch/watch-options.ts";
import type { WatchedEvent } from "../src/client/watch/watched-events.ts";
import { webSocket } from "../src/client/watch/web-socket-transport.ts";
import type { Offer } from "./server/case-format.ts";
import type { Command } from "./server/conversation.ts";
import { VirtualTime } from "./virtual-time.ts";

const TRANSPORTS: Readonly<Record<string, Transport>> = {
  websocket: webSocket,
  sse: eventStream,
  poll: longPoll,
};

/** Has `telltale-client` run one case on the server at `url`, and answers why it failed; null if it passed. */
export async function runCase(url: string, offer: Offer, patience_seconds = 20): Promise<string | null> {
  const post = async (path: string, body: unknown) => {
    const response = await fetch(url + path, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return response.json();
  };
  const { case: name, transports } = offer;
  const { run } = (await post("/runs", { case: name, transports, patience_seconds })) as { run: string };
  const time = new VirtualTime();
  let client: Client | undefined;
  for (;;) {
    const command = (await post(`/runs/${run}/next`, client?.report() ?? null)) as Command;
    if (command.do === "watch") {
      const token = async () =>
        ((await time.hold(post(`/runs/${run}/token`, null))) as { token: string }).token;
      client = new Client(command, token, time);
    } else if (command.do === "skip") await time.skip(command.seconds);
    else if (command.do === "cancel") client?.cancel(command.reason ?? undefined);
    else if (command.do === "close") client?.watch.close();
    else if (command.do === "retry_now") client?.watch.retryNow();
    else if (command.do === "done") {
      client?.watch.close();
      return command.passed ? null : command.why;
    }
  }
}

class Client {
  readonly watch: AnalysisWatch;
  readonly #time: VirtualTime;
  readonly #events: WatchedEvent[] = [];
  #over: unknown = null;
  #cancel: unknown = null;

  constructor(
    { url, analysis_id, transports, until }: Extract<Command, { do: "watch" }>,
    token: () => Promise<string>,
    time: VirtualTime,
  ) {
    this.#time = time;
    const given = transports.map((name) => TRANSPORTS[name] as Transport);
    const { environment } = time;
    const options = { url, analysisId: analysis_id, token, until: until ?? undefined, environment };
    this.watch = withCancel(watchOver(choiceOf(given))(options), options);
    this.#read().catch(({ code }) => {
      this.#over = { refused: code };
    });
  }

  cancel(reason: string | undefined): void {
    this.watch.cancel(reason).then(
      () => {
        this.#cancel = "taken";
      },
      ({ code }) => {
        this.#cancel = { refused: code };
      },
    );
  }

  report(): unknown {
    const { connection, analysis, stalled, cancelRequested } = this.watch.getSnapshot();
    const wait = connection.status === "waiting" && {
      retry_in_seconds: (connection.retryAt - this.#time.environment.now()) / 1_000,
    };
    return {
      snapshot: {
        connection: { ...connection, ...wait },
        analysis,
        stalled,
        cancel_requested: cancelRequested,
      },
      events: this.#events.splice(0),
      over: this.#over,
      cancel: this.#cancel,
    };
  }

  async #read(): Promise<void> {
    for await (const event of this.watch) this.#events.push(event);
    this.#over = this.watch.getSnapshot().connection.status;
  }
}
