import { drainMicrotasks } from "bun:jsc";
import { type AnalysisChannel, analysisIdOf, parseChannel } from "../../src/domain/channel.ts";
import { formatEventId } from "../../src/domain/event-position.ts";
import { Judge, must, type Truth } from "./judge.ts";
import type { Publication } from "./model-bare.ts";
import { type Asked, ModelClient, ModelConnection } from "./model-client.ts";
import { ModelNode, type Sound } from "./model-node.ts";
import { ModelServer, type SavedData } from "./model-server.ts";
import { ModelTime } from "./model-time.ts";
import { Publishing } from "./publishing.ts";

export interface WorldOptions {
  readonly historySize: number;
  readonly watchDefault: "allow" | "deny";
  /** Whether every event names a run of the worker, or none does. */
  readonly attempts: boolean;
}

export const NODES = 3;
export const CLIENTS = 5;
const HISTORY_TTL_MS = 86_400_000;

export const CHANNELS = ["0", "1"].map(
  (digit) => parseChannel(`analysis:00000000-0000-4000-8000-00000000000${digit}`) as AnalysisChannel,
);

/** Several gateways, their broker and its rivals, workers and clients. Everything that can go wrong is a method. */
export class World implements Truth {
  readonly time = new ModelTime();
  readonly options: WorldOptions;
  readonly publishing: Publishing;
  readonly nodes: ModelNode[] = [];
  readonly clients: (ModelClient | undefined)[] = [];
  /** Nodes whose network moves by itself; the others' moves step by step. */
  readonly #flowing = new Set<ModelNode>();
  /** Nodes that may rightly have missed a list of viewers, or not have heard it yet. */
  readonly #lagging = new Set<ModelNode>();
  readonly #connections = new Set<ModelConnection>();
  readonly #judge = new Judge(this);
  /** Broken promises that were found inside a callback of the product, which must not be the one to throw. */
  readonly #broken: unknown[] = [];
  everLost = false;
  #primary: ModelServer;
  /** A broker that was replaced and does not know it yet. */
  #old: ModelServer | undefined;
  #down = false;
  #saved: SavedData;
  #madeConnections = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.#primary = this.#newServer();
    this.#saved = this.#primary.save();
    this.publishing = new Publishing(this.time, options.attempts);
    for (let made = 0; made < NODES; made++) this.nodes.push(this.#newNode());
  }

  get primary(): ModelServer {
    return this.#primary;
  }

  servers(): readonly ModelServer[] {
    return this.#old === undefined ? [this.#primary] : [this.#primary, this.#old];
  }

  mayWatch(user: string, channel: AnalysisChannel): boolean {
    return this.servers().some((server) => {
      const viewers = server.viewersOf(channel);
      if (viewers === undefined) return this.options.watchDefault === "allow";
      return viewers === "*" || viewers.has(user);
    });
  }

  mayLag({ node }: ModelConnection): boolean {
    return this.#lagging.has(node);
  }

  get connections(): readonly ModelConnection[] {
    return [...this.#connections];
  }

  node(index: number): ModelNode {
    return this.nodes[index % NODES] as ModelNode;
  }

  /** A node that can serve somebody, the one asked for if it can. */
  servingNode(index: number): ModelNode | undefined {
    for (let step = 0; step < NODES; step++) {
      const node = this.node(index + step);
      if (node.state === "running") return node;
    }
    return undefined;
  }

  /** Lets everything happen that follows by itself. Throws if a promise was broken on the way. */
  settle(): void {
    drainMicrotasks();
    for (const node of this.#flowing) {
      while (node.state === "running" && node.ears.length > 0) {
        node.hearOne();
        drainMicrotasks();
      }
    }
    for (const connection of this.#connections) this.#judge.look(connection);
    for (const node of this.nodes)
      must(node.pubSub.faults.length === 0, `a subscriber threw: ${node.pubSub.faults[0]}`);
    if (this.#broken.length > 0) throw this.#broken[0];
  }

  pass(milliseconds: number): void {
    this.time.advance(milliseconds);
  }

  hold(node: ModelNode): void {
    this.#flowing.delete(node);
    this.#lagging.add(node);
    node.pubSub.flows = false;
  }

  flow(node: ModelNode): void {
    if (node.state === "gone") return;
    this.#flowing.add(node);
    node.pubSub.flows = true;
  }

  /** One thing happens on the network of a node. Answers which. */
  step(node: ModelNode, pick: number): string {
    const { possible } = node.pubSub;
    const hears = node.ears.length > 0 && node.state === "running" ? 1 : 0;
    if (possible + hears === 0) return "nothing is under way";
    const chosen = pick % (possible + hears);
    if (chosen < possible) return node.pubSub.step(chosen);
    node.hearOne();
    return "a message of a worker arrives";
  }

  freeze(node: ModelNode): void {
    this.#lagging.add(node);
    node.freeze();
  }

  thaw(node: ModelNode): void {
    node.thaw();
  }

  /** Everything that the broker has to say to this node is lost from now on, and the node is not told. */
  stallSubscription(node: ModelNode): void {
    this.#lagging.add(node);
    node.pubSub.stalled = true;
  }

  /** The subscription probe of the adapter finds the stalled subscription. The node connects anew. */
  findStalled(node: ModelNode): void {
    if (!node.pubSub.stalled) return;
    node.pubSub.stalled = false;
    node.pubSub.cutListening();
    node.loseHearing();
    this.restore(node);
  }

  loseOneMessage(node: ModelNode): void {
    this.#lagging.add(node);
    node.pubSub.loseOneMessage();
  }

  cut(node: ModelNode, links: "both" | "listening" | "commands"): void {
    this.#lagging.add(node);
    if (links !== "listening") node.pubSub.cutCommands();
    if (links !== "commands") {
      node.pubSub.cutListening();
      node.loseHearing();
    }
  }

  restore(node: ModelNode): void {
    if (!this.#down || node.pubSub.server === this.#old) this.#connect(node, this.#serverOf(node));
  }

  /** Everything that is published from now on is kept for a later loss. */
  save(): void {
    this.#saved = this.#primary.save();
  }

  kill(how: "with all" | "with what was saved" | "with nothing"): void {
    if (this.#down) return;
    this.#down = true;
    this.everLost ||= how !== "with all";
    for (const node of this.nodes) if (node.pubSub.server === this.#primary) this.cut(node, "both");
    this.publishing.mayBeLost(this.#primary);
    if (how === "with nothing") this.#primary.restart(this.#newServer().save());
    else this.#primary.restart(how === "with all" ? this.#primary.save() : this.#saved);
    this.#saved = this.#primary.save();
  }

  /** The broker is back. The nodes of these indexes find it at once. */
  start(reconnecting: readonly number[]): void {
    if (!this.#down) return;
    this.#down = false;
    for (const [index, node] of this.nodes.entries()) if (reconnecting.includes(index)) this.restore(node);
  }

  /**
   * A replica takes over from the data it has: all of it, or what was saved if it lags. The nodes of these indexes go
   * on with the old primary, which numbers on.
   */
  failOver(staying: readonly number[], lags: boolean): void {
    this.start([]);
    this.everLost = true;
    const { primary } = this;
    this.publishing.mayBeLost(primary);
    if (this.#old !== undefined) this.publishing.mayBeLost(this.#old);
    const data = lags ? this.#saved : primary.save();
    this.#primary = this.#newServer(data);
    this.#saved = this.#primary.save();
    this.#old = primary;
    for (const [index, node] of this.nodes.entries()) {
      if (node.pubSub.server === primary && staying.includes(index)) this.#lagging.add(node);
      else this.#moveOver(node);
    }
    this.#retireOld();
  }

  /** A node that still talked to the old primary finds the new one. */
  rejoin(node: ModelNode): void {
    if (node.pubSub.server === this.#primary) return;
    this.#moveOver(node);
    this.#retireOld();
  }

  /** The server takes some of a channel away. */
  spoil(channel: AnalysisChannel, how: "trim" | "lose" | "expire", keep: number): void {
    this.publishing.mayBeLost(this.#primary);
    this.everLost ||= how !== "trim";
    if (how === "trim") this.#primary.trim(channel, keep);
    else if (how === "lose") this.#primary.lose(channel);
    else {
      // The broker tells nobody that a list of viewers expired.
      for (const node of this.nodes) this.#lagging.add(node);
      this.#primary.expire(channel);
    }
    // Nor does it come back from what was saved before.
    if (how !== "trim") this.#saved.channels.delete(channel);
  }

  /** The process ends: after a goodbye to everybody, or without a word. A new one takes its place. */
  replace(node: ModelNode, gracefully: boolean): void {
    if (gracefully && node.state === "running") {
      void node.drain.execute(6_000);
      drainMicrotasks();
    }
    for (const connection of this.#connections) if (connection.node === node) connection.lose();
    node.end();
    this.#flowing.delete(node);
    this.nodes[this.nodes.indexOf(node)] = this.#newNode();
    this.#retireOld();
  }

  connect(slot: number, node: ModelNode, asked: Asked): ModelClient {
    const known = this.clients[slot];
    known?.connection?.lose();
    const client = known !== undefined && asked.continues ? known : new ModelClient(asked);
    client.asked = asked;
    this.clients[slot] = client;
    const connection = new ModelConnection(
      `c${++this.#madeConnections}`,
      client,
      node,
      (on, frame) => this.#sent(on, frame),
      (on) => this.#ended(on),
    );
    client.connection = connection;
    this.#connections.add(connection);
    this.#judge.look(connection);
    const session = node.upgrade(connection, asked);
    connection.session = session;
    node.run(() => {
      connection.cameInVain = node.pubSub.health().status === "down";
      void session.opened();
      if (asked.many) session.received(subscribeFrame(asked));
    });
    return client;
  }

  bare(publication: Publication, old: boolean): void {
    const server = old ? (this.#old ?? this.#primary) : this.#primary;
    publication.run = server.run;
    this.#sendOut(server, { type: "message", publication, at: this.time.now });
  }

  /** A worker adds to the inbox of the broker that it knows; answers whether that took it. */
  addToInbox(payload: string, old: boolean): boolean {
    return !this.#down && (old ? (this.#old ?? this.#primary) : this.#primary).addToInbox(payload);
  }

  /** Mends everything. From here on only time passes. */
  mend(): void {
    this.start([]);
    for (const node of this.nodes) {
      this.findStalled(node);
      this.thaw(node);
      if (node.pubSub.server === this.#primary) this.#connect(node, this.#primary);
      else this.rejoin(node);
      this.flow(node);
    }
    this.#old = undefined;
    this.#primary.full = false;
    for (const connection of this.#connections) connection.takeAll();
  }

  /** Sends to every node that listens on this broker now. */
  #sendOut(server: ModelServer, sound: Sound): void {
    for (const node of this.nodes) {
      const { pubSub } = node;
      if (pubSub.server !== server || !node.listens || pubSub.stalled) continue;
      node.ears.push(sound);
    }
  }

  #connect(node: ModelNode, server: ModelServer): void {
    const { pubSub } = node;
    if (pubSub.server !== server) node.loseHearing();
    pubSub.restore(server);
    node.run(() => {
      // A process that was frozen may find the connection cut again.
      if (node.listens || !pubSub.listens) return;
      node.listen(this.nodes.some((other) => other !== node && other.listens));
    });
  }

  #newServer(saved?: SavedData): ModelServer {
    const limits = { size: this.options.historySize, ttlMs: HISTORY_TTL_MS };
    return new ModelServer(() => this.time.now, limits, saved);
  }

  #newNode(): ModelNode {
    const node = new ModelNode({
      time: this.time,
      server: this.#primary,
      watchDefault: this.options.watchDefault,
      newcomer: this.nodes.length === NODES,
      mark: (server, name) =>
        this.#sendOut(server, { type: "mark", text: `mark ${server.run}.${server.marks++}.${name}` }),
    });
    this.#flowing.add(node);
    if (this.#down) this.cut(node, "both");
    return node;
  }

  #serverOf(node: ModelNode): ModelServer {
    return node.pubSub.server === this.#old ? this.#old : this.#primary;
  }

  #moveOver(node: ModelNode): void {
    this.#lagging.add(node);
    this.#connect(node, this.#primary);
  }

  #retireOld(): void {
    if (this.#old === undefined || this.nodes.some((node) => node.pubSub.server === this.#old)) return;
    this.publishing.mayBeLost(this.#old);
    // Clients that saw events which it alone had are told from now on: note it while it can be compared.
    for (const connection of this.#connections) this.#judge.look(connection);
    this.#old = undefined;
  }

  #sent(connection: ModelConnection, frame: string): () => void {
    try {
      return this.#judge.sent(connection, frame);
    } catch (error) {
      this.#broken.push(error);
      return () => {};
    }
  }

  #ended(connection: ModelConnection): void {
    this.#connections.delete(connection);
    // The runtime reports the close of a socket once, in a turn of its own.
    queueMicrotask(() => connection.node.run(() => connection.session?.closed()));
  }
}

function subscribeFrame({ channel, mode, after }: Asked): string {
  const position =
    after === undefined ? {} : { last_event_id: after === "unreadable" ? "?" : formatEventId(after) };
  return JSON.stringify({ type: "subscribe", analysis_id: analysisIdOf(channel), replay: mode, ...position });
}
