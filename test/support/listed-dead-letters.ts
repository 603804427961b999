import type { DeadLetterPort, KeptDeadLetter } from "../../src/application/ports/dead-letter-port.ts";

/** Dead letters in a list, which a test reads. */
export class ListedDeadLetters implements Pick<DeadLetterPort, "read" | "find" | "remove" | "close"> {
  readonly kept: KeptDeadLetter[] = [];

  async *read(): AsyncIterable<KeptDeadLetter> {
    yield* this.kept;
  }
  async find(id: string): Promise<KeptDeadLetter | undefined> {
    return this.kept.find((one) => one.id === id);
  }
  async remove(id: string): Promise<boolean> {
    const place = this.kept.findIndex((one) => one.id === id);
    if (place >= 0) this.kept.splice(place, 1);
    return place >= 0;
  }
  async close(): Promise<void> {}
}
