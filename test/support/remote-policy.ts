import type { AccessPolicy, PublishVerdict, WatchAccess } from "../../src/application/access-policy.ts";
import type { WatchVerdict } from "../../src/domain/access-grant.ts";
import { turn } from "./turn.ts";

/** A policy that asks somebody else, as one of a user of Telltale may: its answers come some turns later. */
export class RemotePolicy implements AccessPolicy {
  watch: WatchVerdict = "allowed";
  goOn: WatchVerdict = "allowed";
  publish: PublishVerdict = "allowed";
  /** The error that every question ends with: whoever has to be asked is away. */
  fault: Error | undefined;
  /** The questions so far, by their names. */
  readonly asked: string[] = [];

  mayWatch(_access: WatchAccess): Promise<WatchVerdict> {
    return this.#answer("watch", () => this.watch);
  }

  mayGoOn(_access: WatchAccess): WatchVerdict {
    return this.goOn;
  }

  mayPublish(): Promise<PublishVerdict> {
    return this.#answer("publish", () => this.publish);
  }

  mayNotify(): Promise<PublishVerdict> {
    return this.#answer("notify", () => this.publish);
  }

  async #answer<Verdict>(question: string, verdict: () => Verdict): Promise<Verdict> {
    this.asked.push(question);
    await turn();
    if (this.fault !== undefined) throw this.fault;
    return verdict();
  }
}
