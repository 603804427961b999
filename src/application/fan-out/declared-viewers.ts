import type { ViewerList } from "../../domain/access-grant.ts";

/** Who may watch, from two sources that race: what was heard, and what was read. */
export class DeclaredViewers {
  #list: ViewerList | undefined;
  #timesHeard = 0;

  /** As last declared; undefined where nobody said. */
  get list(): ViewerList | undefined {
    return this.#list;
  }

  heard(viewers: ViewerList): void {
    this.#timesHeard++;
    this.#list = viewers;
  }

  /** Begins a read. What was heard since then is newer than its answer: taking that says whether it was taken. */
  read(): (viewers: ViewerList | undefined) => boolean {
    const asked = this.#timesHeard;
    return (viewers) => {
      if (asked !== this.#timesHeard) return false;
      this.#list = viewers;
      return true;
    };
  }
}
