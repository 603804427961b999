import type { CancelRequest, ChannelSubscriber, PublishedEvent } from "../application/ports/pub-sub-port.ts";
import type { ViewerList } from "../domain/access-grant.ts";

/** Keeps every call, and lets a test wait for one instead of sleeping. */
export class CollectingSubscriber implements ChannelSubscriber {
  readonly events: PublishedEvent[] = [];
  readonly viewers: ViewerList[] = [];
  readonly cancels: CancelRequest[] = [];
  restored = 0;
  readonly #waiting = new Set<{ readonly met: () => boolean; readonly resolve: () => void }>();

  get offsets(): number[] {
    return this.events.map((event) => event.position.offset);
  }

  event(event: PublishedEvent): void {
    this.events.push(event);
    this.#look();
  }

  viewersChanged(viewers: ViewerList): void {
    this.viewers.push(viewers);
    this.#look();
  }

  cancelRequested(request: CancelRequest): void {
    this.cancels.push(request);
    this.#look();
  }

  linkRestored(): void {
    this.restored++;
    this.#look();
  }

  /** Resolves once `met` is true. The test's own timeout ends a wait that lasts for ever. */
  until(met: (self: this) => boolean): Promise<void> {
    if (met(this)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add({ met: () => met(this), resolve }));
  }

  #look(): void {
    for (const wait of this.#waiting) {
      if (!wait.met()) continue;
      this.#waiting.delete(wait);
      wait.resolve();
    }
  }
}
