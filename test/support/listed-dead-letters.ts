import type { DeadLetterPort, KeptDeadLetter } from "../../src/application/ports/dead-letter-port.ts";

/** Letters in a list: what becomes of them is what is looked at. */
export class ListedLetters implements Pick<DeadLetterPort, "read" | "find" | "remove" | "close"> {
  readonly kept: KeptDeadLetter[] = [];

  async *read(): AsyncIterable<KeptDeadLetter> {
    yield* this.kept;
  }
  async find(id: string): Promise<KeptDeadLetter | undefined> {
    return this.kept.find((letter) => letter.id === id);
  }
  async remove(id: string): Promise<boolean> {
    const place = this.kept.findIndex((letter) => letter.id === id);
    if (place >= 0) this.kept.splice(place, 1);
    return place >= 0;
  }
  async close(): Promise<void> {}
}
