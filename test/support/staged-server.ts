import type { Address } from "./staged-broker.ts";

/** A server of the tests, as a fault strikes it. */
interface StruckServer extends Address {
  kill9(): Promise<void>;
  restart(): Promise<void>;
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** The part of a `StagedBroker` that is one server: a fault that strikes the broker strikes the server. */
export abstract class StagedServer<Server extends StruckServer> {
  readonly server: Server;

  protected constructor(server: Server) {
    this.server = server;
  }

  get host(): string {
    return this.server.host;
  }

  get port(): number {
    return this.server.port;
  }

  kill9(): Promise<void> {
    return this.server.kill9();
  }

  restart(): Promise<void> {
    return this.server.restart();
  }

  freeze(): void {
    this.server.freeze();
  }

  thaw(): void {
    this.server.thaw();
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}
