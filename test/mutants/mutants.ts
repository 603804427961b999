import { readFileSync } from "node:fs";

/** One deliberate breakage: a text that stands once in one file of the product, and what takes its place. */
export interface Mutant {
  /** What the product forgets, or does wrong. */
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The tests that must notice: as narrow as they can be. */
  readonly killers: readonly string[];
  /** A program without which the killers skip themselves. */
  readonly needs?: "redis-server";
}

const MODEL = ["test/model/model.test.ts"];

export const MUTANTS: readonly Mutant[] = [
  {
    name: "skips buffering while subscribing",
    file: "src/application/fan-out/analysis-feed.ts",
    find: "hold(this.#state, event);",
    replace: "return;",
    killers: ["test/unit/application/analysis-feed-races.test.ts"],
  },
  {
    name: "ignores the epoch of what follows",
    file: "src/application/fan-out/analysis-feed.ts",
    find: "if (follows && (epoch === this.#position.epoch || offset === 1)) this.#apply(event);",
    replace: "if (follows) this.#apply(event);",
    killers: [
      "test/unit/application/analysis-feed-epochs.test.ts",
      "test/unit/application/analysis-feed.test.ts",
    ],
  },
  {
    name: "delivers an event it has already seen",
    file: "src/application/fan-out/analysis-feed.ts",
    find: "if (epoch === this.#position.epoch && offset <= this.#position.offset) return;\n    const follows = offset === this.#position.offset + 1;",
    replace: "const follows = true;",
    killers: MODEL,
  },
  {
    name: "forgets to heal after a reconnect",
    file: "src/application/fan-out/analysis-feed.ts",
    find: 'this.#mistrust("link_restored");',
    replace: "",
    killers: ["test/unit/application/analysis-feed-healing.test.ts"],
  },
  {
    name: "takes a hole in the offsets for nothing",
    file: "src/application/fan-out/analysis-feed.ts",
    find: 'else void this.#heal(follows ? "epoch_changed" : "hole");',
    replace: "else this.#apply(event);",
    killers: MODEL,
  },
  {
    name: "gives up healing when the broker fails once",
    file: "src/application/fan-out/analysis-feed.ts",
    find: 'this.#cancelRetry = this.#clock.after(HEAL_RETRY_MS, () => void this.#heal("retry"));',
    replace: "",
    killers: ["test/unit/application/analysis-feed-healing.test.ts"],
  },
  {
    name: "ignores viewers that were declared meanwhile",
    file: "src/application/fan-out/analysis-feed.ts",
    find: "    this.#viewers.heard(viewers);\n    this.fanout.viewersChanged(viewers);",
    replace: "",
    killers: MODEL,
  },
  {
    name: "leaves the subscription behind",
    file: "src/application/fan-out/analysis-feed.ts",
    find: "    void this.#subscription?.unsubscribe();",
    replace: "",
    killers: MODEL,
  },
  {
    name: "judges nobody by the surviving history",
    file: "src/application/fan-out/analysis-feed.ts",
    find: "if (!page.resumed || this.fanout.hasLost(page.kept)) return this.#moveToSurviving();",
    replace: "if (!page.resumed) return this.#moveToSurviving();",
    killers: MODEL,
  },
  {
    name: "the position check ignores what is lower",
    file: "src/application/fan-out/position-doubt.ts",
    find: 'if (!same && broker.offset <= stood.offset) return "lost";',
    replace: "if (broker.offset < stood.offset) return undefined;",
    killers: MODEL,
  },
  {
    name: "the position check compares with where the feed stands when the answer comes",
    file: "src/application/fan-out/position-doubt.ts",
    find: "const same = isSame(broker, stood);",
    replace: "const same = isSame(broker, stands);",
    killers: ["test/unit/application/check-positions.test.ts"],
  },
  {
    name: "the position check never finds a node behind",
    file: "src/application/fan-out/position-doubt.ts",
    find: 'if (behindAt !== undefined && isSame(behindAt, stands)) return "behind";',
    replace: "",
    killers: ["test/unit/application/check-positions.test.ts"],
  },
  {
    name: "the position check does not look at the line of history",
    file: "src/application/fan-out/position-doubt.ts",
    find: 'if (lineChanged) return "line_changed";',
    replace: "",
    killers: ["test/unit/application/check-positions.test.ts"],
  },
  {
    name: "judges a position beyond the feed by the feed",
    file: "src/application/fan-out/analysis-feed.ts",
    find: "    const read = await this.#returning.history(after);",
    replace:
      "    const read = await this.#returning.history(after);\n    if (after !== undefined && after.offset > this.#position.offset) return { ...read, resumed: false };",
    killers: MODEL,
  },
  {
    name: "judges a position by its offset alone",
    file: "src/application/fan-out/fanout.ts",
    find: "return known?.offset === after.offset && known.epoch === after.epoch ? sequence : undefined;",
    replace: "return known?.offset === after.offset ? sequence : undefined;",
    killers: ["test/unit/application/resume.test.ts"],
  },
  {
    name: "trusts any epoch of a position",
    file: "src/domain/event-position.ts",
    find: "return epochAt(position.offset, history.spans) === position.epoch;",
    replace: "return true;",
    killers: ["test/unit/domain/event-position.test.ts"],
  },
  {
    name: "drops the ring while a join waits",
    file: "src/application/fan-out/fanout.ts",
    find: "for (const delivery of this.#deliveries) needed = Math.min(needed, delivery.cursor);",
    replace: "",
    killers: [
      "test/unit/application/analysis-feed-races.test.ts",
      "test/unit/application/delivery.test.ts",
      "test/unit/application/fanout.test.ts",
      "test/unit/application/resume.test.ts",
    ],
  },
  {
    name: "replays what the history and the ring both have",
    file: "src/application/fan-out/replay.ts",
    find: "const cursor = Math.max(delivery.cursor, next + newest.offset - feed.now().position.offset);",
    replace: "const cursor = delivery.cursor;",
    killers: ["test/unit/application/resume.test.ts"],
  },
  {
    name: "leaves the terminal event out of the replay",
    file: "src/application/fan-out/latest-events.ts",
    find: "if (terminal === undefined || terminal.position.offset === status.position.offset) return [status];",
    replace: "return [status];",
    killers: ["test/unit/application/analysis-feed.test.ts"],
  },
  {
    name: "ignores that an analysis was reopened",
    file: "src/application/fan-out/latest-events.ts",
    find: "return { status: event, terminal: undefined };",
    replace: "return { status: event, terminal: latest.terminal };",
    killers: ["test/unit/application/analysis-feed.test.ts"],
  },
  {
    name: "says resumed though the history moved meanwhile",
    file: "src/application/fan-out/replay.ts",
    find: 'return prepared.resumed === null || moved === undefined ? prepared.resumed : moved === "survived";',
    replace: "return prepared.resumed;",
    killers: ["test/unit/application/delivery-restart.test.ts"],
  },
  {
    name: "tells nobody of a restart",
    file: "src/application/fan-out/delivery.ts",
    find: "if (told) this.#owner.startsAfresh();",
    replace: "",
    killers: MODEL,
  },
  {
    name: "disturbs everybody on a restart",
    file: "src/application/fan-out/delivery.ts",
    find: "const survives = stands !== undefined && isOnHistory(stands, history.kept);",
    replace: "const survives = false;",
    killers: MODEL,
  },
  {
    name: "takes a trimmed hole for nothing",
    file: "src/application/fan-out/delivery.ts",
    find: "else this.#startAfresh(history, stands !== undefined);",
    replace: "else this.#startAfresh(history, this.#hasSeen);",
    killers: ["test/unit/application/trimmed-hole.test.ts"],
  },
  {
    name: "conflates a terminal event",
    file: "src/application/fan-out/delivery.ts",
    find: "if (event === undefined || event.reopens || !isStatusKind(event.kind) || isTerminalKind(event.kind))",
    replace: "if (event === undefined || event.reopens)",
    killers: ["test/unit/application/conflation.test.ts"],
  },
  {
    name: "conflates an event that reopens",
    file: "src/application/fan-out/delivery.ts",
    find: "if (event === undefined || event.reopens || !isStatusKind(event.kind) || isTerminalKind(event.kind))",
    replace: "if (event === undefined || !isStatusKind(event.kind) || isTerminalKind(event.kind))",
    killers: ["test/unit/application/conflation.test.ts"],
  },
  {
    name: "conflates for those who asked for everything",
    file: "src/application/fan-out/delivery.ts",
    find: "if (!this.#options.conflates || this.#cursor < this.#thinnedFrom) return;",
    replace: "if (this.#cursor < this.#thinnedFrom) return;",
    killers: MODEL,
  },
  {
    name: "thins a replay",
    file: "src/application/fan-out/delivery.ts",
    find: "if (!this.#options.conflates || this.#cursor < this.#thinnedFrom) return;",
    replace: "if (!this.#options.conflates) return;",
    killers: ["test/unit/application/unthinned-replay.test.ts"],
  },
  {
    name: "lets any amount wait for a slow client",
    file: "src/application/fan-out/delivery.ts",
    find: "if (waiting > MAX_WAITING_CHARACTERS) this.#owner.tooSlow();",
    replace: "",
    killers: ["test/unit/application/delivery.test.ts", "test/unit/application/conflation.test.ts"],
  },
  {
    name: "does not end with the analysis",
    file: "src/application/fan-out/delivery.ts",
    find: "if (this.#options.untilTerminal && this.#terminalStands) this.#owner.finished();",
    replace: "",
    killers: MODEL,
  },
  {
    name: "ends with a terminal event that stands no longer",
    file: "src/application/fan-out/delivery.ts",
    find: "else if (event.reopens || reopens(event.kind)) this.#terminalStands = false;",
    replace: "",
    killers: ["test/unit/application/until-terminal.test.ts"],
  },
  {
    name: "goes on sending to a socket that is blocked",
    file: "src/application/fan-out/outlet.ts",
    find: "    while (this.open) {",
    replace: "    while (!this.gone) {",
    killers: ["test/unit/application/outlet.test.ts", "test/unit/application/delivery.test.ts"],
  },
  {
    name: "does not go on when the socket has drained",
    file: "src/application/fan-out/outlet.ts",
    find: "source.flush();",
    replace: "",
    killers: MODEL,
  },
  {
    name: "treats a dropped send as sent",
    file: "src/adapters/websocket/bun-sockets.ts",
    find: '    this.#socket.terminate();\n    return "gone";',
    replace: '    return "sent";',
    killers: ["test/unit/adapters/websocket/bun-sockets.test.ts"],
  },
  {
    name: "says nothing of subprotocols where none is echoed",
    file: "src/adapters/websocket/upgrade-request.ts",
    find: 'answer.set("Sec-WebSocket-Protocol", offersProtocol(protocols, PROTOCOL) ? PROTOCOL : "");',
    replace: 'if (offersProtocol(protocols, PROTOCOL)) answer.set("Sec-WebSocket-Protocol", PROTOCOL);',
    killers: ["test/unit/adapters/websocket/upgrade-request.test.ts"],
  },
  {
    name: "tells everybody what was meant for a user who is null",
    file: "src/adapters/http/notice-routes.ts",
    find: "  const { user_id } = body;\n",
    replace: "  const { user_id } = body;\n  if (user_id === null) return everybody;\n",
    killers: ["test/unit/adapters/http/notices-and-viewers.test.ts"],
  },
  {
    name: "compares a page's origin with the port of the Host header as it stands",
    file: "src/adapters/origin-policy.ts",
    find: "return page !== null && own !== null && hostOf(page) === hostOf(own);",
    replace: "return page !== null && own !== null && page.host === host.toLowerCase();",
    killers: ["test/unit/adapters/origin-policy.test.ts"],
  },
  {
    name: "serves a new watcher what it knew before the broker went",
    file: "src/application/fan-out/feeds.ts",
    find: 'if (health.status === "down") throw new BrokerUnavailable(health.reason);',
    replace: "",
    killers: MODEL,
  },
  {
    name: "shares an answer that was asked for before the question",
    file: "src/application/shared-answer.ts",
    find: "    this.#out = answer;\n    this.#next = undefined;",
    replace: "    this.#out = answer;",
    killers: MODEL,
  },
  {
    name: "trims the standing terminal event",
    file: "src/domain/channel-record.ts",
    find: "if (isTerminalKind(event.kind)) record.standingTerminal = stored;",
    replace: "",
    killers: ["test/unit/domain/channel-record.test.ts"],
  },
  {
    name: "stores one event twice under one key",
    file: "src/adapters/memory/seen-memory.ts",
    find: "names.set(name, { ...first, until: first.at + forMs });",
    replace: "",
    killers: ["test/contract/in-memory-pub-sub.test.ts"],
  },
  {
    name: "numbers a refused batch",
    file: "src/domain/channel-record.ts",
    find: 'if (code !== undefined) return { type: "refused", code, index };',
    replace: "",
    killers: ["test/contract/in-memory-pub-sub.test.ts"],
  },
  {
    name: "adopts the same message once for each gateway",
    file: "src/application/adopt-published-event.ts",
    find: 'lane: "content",\n      name: message.payload,',
    replace: 'lane: "content",\n      name: message.payload + Math.random(),',
    killers: MODEL,
  },
  {
    name: "gives up what the broker could not store",
    file: "src/application/adopt-published-event.ts",
    find: 'if (error instanceof BrokerUnavailable || error instanceof OutcomeUnknown) return "again";',
    replace: "",
    killers: MODEL,
  },
  {
    name: "does not widen the window of a late offer",
    file: "src/application/adopt-published-event.ts",
    find: "windowMs: CONTENT_WINDOW_MS + this.#lateMs(heard),",
    replace: "windowMs: CONTENT_WINDOW_MS,",
    killers: [
      "test/unit/application/adopt-published-event.test.ts",
      "test/unit/application/adopt-while-broker-is-away.test.ts",
      "test/unit/application/adopt-beside-others.test.ts",
    ],
  },
  {
    name: "leaves out the hold of a newcomer",
    file: "src/application/adopt-published-event.ts",
    find: "return newcomer && others !== false ? left : 0;",
    replace: "return 0;",
    killers: ["test/unit/application/adopt-beside-others.test.ts"],
  },
  {
    name: "offers again behind what came later",
    file: "src/application/offer-queue.ts",
    find: "this.#waiting.unshift(...again);",
    replace: "this.#waiting.push(...again);",
    killers: ["test/unit/application/adopt-while-broker-is-away.test.ts"],
  },
  {
    name: "an idempotency key is not passed on",
    file: "src/application/broadcast-event.ts",
    find: "...(idempotencyKey !== undefined && { seen: keyed(channel, idempotencyKey) }),",
    replace: "",
    killers: MODEL,
  },
  {
    name: "drains without a goodbye",
    file: "src/application/drain-connections.ts",
    find: "connection.close(CLOSE_CODES.goingAway, retryAfterReason(retryMs));",
    replace: "",
    killers: ["test/unit/application/drain-connections.test.ts"],
  },
  {
    name: "keeps those who are not heard",
    file: "src/application/expire-stale-connections.ts",
    find: "if (now - this.#silenceCountsFrom >= this.#timeoutMs) this.#endSilent(now);",
    replace: "",
    killers: ["test/unit/application/expire-stale-connections.test.ts"],
  },
  {
    name: "Redis: stores after its caller was answered",
    file: "src/adapters/redis/append-events.lua",
    find: "if now >= tonumber(ARGV[2]) then return { 'LATE' } end",
    replace: "",
    killers: ["test/integration/redis-deadlines.test.ts"],
    needs: "redis-server",
  },
  {
    name: "Redis: carries the same call out twice",
    file: "src/adapters/redis/append-events.lua",
    find: "      return { 'REPEATED' }",
    replace: "      break",
    killers: ["test/integration/redis-deadlines.test.ts", "test/integration/redis-links.test.ts"],
    needs: "redis-server",
  },
  {
    name: "Redis: goes on with the epoch of a history that may have forked",
    file: "src/adapters/redis/append-events.lua",
    find: "new_epoch = line ~= line_now",
    replace: "new_epoch = is_new",
    killers: ["test/integration/redis-history-faults.test.ts"],
    needs: "redis-server",
  },
  {
    name: "Redis: trusts what is left of a channel without its counter",
    file: "src/adapters/redis/append-events.lua",
    find: "if is_new then call('DEL', record, history) else",
    replace: "if not is_new then",
    killers: ["test/integration/redis-history-faults.test.ts"],
    needs: "redis-server",
  },
  {
    name: "Redis: forgets which inbox entry it took last",
    file: "src/adapters/redis/append-events.lua",
    find: "last_entry, entry_changed = ARGV[at + 2] .. ' ' .. place, true",
    replace: "",
    killers: ["test/integration/redis-pub-sub.test.ts"],
    needs: "redis-server",
  },
  {
    name: "Redis: acknowledges though too few replicas have it",
    file: "src/adapters/redis/redis-replicas.ts",
    find: "if (having >= required) return;",
    replace: "return;",
    killers: ["test/integration/redis-replicas.test.ts"],
    needs: "redis-server",
  },
  {
    name: "Redis: subscribes without waiting for the broker",
    file: "src/adapters/redis/redis-subscriptions.ts",
    find: "await watched.agreement.promise;",
    replace: "void watched.agreement.promise.catch(() => {});",
    killers: ["test/integration/redis-subscriptions.test.ts", "test/integration/redis-pub-sub.test.ts"],
    needs: "redis-server",
  },
  {
    name: "never compares the positions it was told",
    file: "src/application/check-positions.ts",
    find: "if (broker !== undefined) feed.compare({ stood, broker, line });",
    replace: "",
    killers: MODEL,
  },
  {
    name: "admits though the list of viewers has changed",
    file: "src/adapters/websocket/watch-session.ts",
    find: "if (!watching.mayGoOn(grant)) return;",
    replace: "",
    killers: MODEL,
  },
  {
    name: "lets a refused watcher stay on a socket of many",
    file: "src/adapters/websocket/subscription.ts",
    find: "if (!this.#check(watch.viewers)) return;",
    replace: "",
    killers: [
      "test/unit/adapters/websocket/many-analyses.test.ts",
      "test/unit/adapters/websocket/many-analyses-races.test.ts",
    ],
  },
  {
    name: "acknowledges the inbox before storing",
    file: "src/application/adopt-inbox-entries.ts",
    find: "    const failures = await this.#adopt(taken.entries, done);\n    await this.#inbox.remove(done);",
    replace:
      "    await this.#inbox.remove(taken.entries.map(({ id }) => id));\n    const failures = await this.#adopt(taken.entries, done);",
    killers: ["test/unit/application/adopt-inbox-entries.test.ts"],
  },
];

export function mutated({ find, replace }: Mutant, source: string): string {
  return source.split(find).join(replace);
}

/** Why a mutant cannot be planted: the product has moved on, and the list must follow. */
export function faultOf({ name, file, find }: Mutant, root: string): string | undefined {
  const times = readFileSync(root + file, "utf8").split(find).length - 1;
  return times === 1 ? undefined : `"${name}": what it replaces stands ${times} times in ${file}`;
}
