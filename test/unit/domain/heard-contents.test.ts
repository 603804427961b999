import { describe, expect, test } from "bun:test";
import { HeardContents } from "../../../src/domain/heard-contents.ts";
import type { AppendedOccurrence, Occurrence } from "../../../src/domain/occurrence.ts";

/** One channel: a message that is appended is stored if it is new, and named by its outcome. */
class Channel {
  now = 1_000_000;
  readonly log: string[] = [];
  readonly #contents = new HeardContents<string>();

  /** `content stretch number`, with `before` "other" and 5 s of reach if nothing else is said. */
  append(text: string, { refused = false, ...rest }: Partial<Rest> = {}): string {
    const [content = "", stretch = "", number = "1"] = text.split(" ");
    const { listener = "me", before = "other", ...times } = rest;
    const occurrence: Occurrence = { content, stretch, number: Number(number), listener, before };
    const appended: AppendedOccurrence = {
      ...{ occurrence, reachMs: 5_000, ageMs: 0, retryMs: 60_000, rememberMs: 180_000 },
      ...times,
    };
    const found = this.#contents.find(appended, this.log.length, this.now);
    if (found.type === "duplicate") return `duplicate of ${found.place.firstOffset}`;
    if (found.type === "refused") return found.code;
    if (refused) {
      this.#contents.refused(appended, { code: "refused", index: 0 }, this.now);
      return "refused now";
    }
    this.log.push(content);
    this.#contents.stored(appended, { epoch: "e", firstOffset: this.log.length, count: 1, at: this.now });
    return `stored as ${this.log.length}`;
  }

  /** Another way in. */
  other(content: string): void {
    this.log.push(content);
  }

  forget(): void {
    this.#contents.forgetExpired(this.now);
  }
}

type Rest = Omit<AppendedOccurrence, "occurrence"> &
  Pick<Occurrence, "listener" | "before"> & { readonly refused: boolean };

const P = "s1.1.p";
const Q = "s1.2.q";
const ELSEWHERE = "s2.1.r";

describe("HeardContents, by names that all share", () => {
  test("IDN-1: the same name is the same message, however late it comes, from whichever node", () => {
    const channel = new Channel();
    expect(channel.append(`a ${P} 1`)).toBe("stored as 1");
    expect(channel.append(`b ${P} 1`)).toBe("stored as 2");
    channel.now += 170_000;
    expect(channel.append(`a ${P} 1`, { listener: "you" })).toBe("duplicate of 1");
    expect(channel.log).toEqual(["a", "b"]);
  });

  test("IDN-1: another number or another stretch is another message, at once", () => {
    const channel = new Channel();
    for (const text of [`a ${P} 1`, `b ${P} 1`, `a ${P} 2`, `b ${Q} 1`, `a ${Q} 1`]) channel.append(text);
    expect(channel.log).toEqual(["a", "b", "a", "b", "a"]);
    for (const text of [`a ${P} 1`, `b ${P} 1`, `a ${P} 2`, `b ${Q} 1`, `a ${Q} 1`])
      expect(channel.append(text, { listener: "you" })).toMatch(/^duplicate/);
  });

  test("IDN-1: a number is known with all before it, and forgotten three minutes after the last", () => {
    const channel = new Channel();
    channel.append(`a ${P} 3`);
    expect(channel.append(`a ${P} 2`)).toBe("duplicate of 1");
    channel.now += 179_999;
    channel.forget();
    expect(channel.append(`a ${P} 3`)).toBe("duplicate of 1");
    channel.now += 1;
    channel.forget();
    expect(channel.append(`a ${P} 3`)).toBe("stored as 2");
  });

  test("IDN-2: a refused message is refused again, and not stored when the analysis has moved on", () => {
    const channel = new Channel();
    expect(channel.append(`a ${P} 1`, { refused: true })).toBe("refused now");
    expect(channel.append(`a ${P} 1`, { listener: "you" })).toBe("refused");
    expect(channel.append(`a ${P} 2`)).toBe("stored as 1");
    expect(channel.append(`a ${P} 2`, { listener: "you" })).toBe("duplicate of 1");
  });
});

describe("HeardContents, of a retry", () => {
  test("PUB-14: directly after the same it is one event for a minute after that was stored", () => {
    const channel = new Channel();
    channel.append(`a ${P} 1`);
    channel.now += 60_000;
    expect(channel.append(`a ${Q} 1`, { before: "same" })).toBe("duplicate of 1");
    channel.now += 1;
    expect(channel.append(`a ${Q} 2`, { before: "same" })).toBe("stored as 2");
    expect(channel.append(`a ${Q} 2`, { before: "same", listener: "you" })).toBe("duplicate of 2");
    expect(channel.append(`a ${Q} 1`, { before: "same", listener: "you" })).toBe("duplicate of 2");
  });

  test("PUB-14: an event by another way in between makes it one of its own", () => {
    const channel = new Channel();
    channel.append(`a ${P} 1`);
    channel.other("over HTTP");
    expect(channel.append(`a ${P} 2`, { before: "same" })).toBe("stored as 3");
    expect(channel.append(`a ${P} 3`, { before: "same" })).toBe("duplicate of 3");
  });

  test("PUB-14: something that was heard in between and not stored does so too", () => {
    const channel = new Channel();
    channel.append(`a ${P} 1`);
    expect(channel.append(`a ${P} 2`, { before: "other" })).toBe("stored as 2");
  });

  test("IDN-3: a retry is one although a node that had missed it appended the next one sooner", () => {
    const channel = new Channel();
    channel.append(`a ${P} 1`);
    channel.append(`b ${Q} 1`, { listener: "you", before: "unknown" });
    expect(channel.append(`a ${P} 2`, { before: "same" })).toBe("duplicate of 1");
    expect(channel.log).toEqual(["a", "b"]);
  });

  test("IDN-4: a gateway that does not know what came before takes the newest again for a retry, and nothing else", () => {
    const channel = new Channel();
    channel.append(`a ${P} 1`);
    expect(channel.append(`a ${Q} 1`, { before: "unknown" })).toBe("duplicate of 1");
    channel.append(`b ${Q} 1`);
    expect(channel.append(`a ${Q} 2`, { before: "unknown" })).toBe("stored as 3");
  });

  test("IDN-4: a gateway that does know overrules it, once", () => {
    const channel = new Channel();
    channel.append(`a ${P} 1`);
    expect(channel.append(`a ${Q} 1`, { before: "unknown", listener: "you" })).toBe("duplicate of 1");
    channel.append(`b ${P} 1`);
    expect(channel.append(`a ${Q} 1`)).toBe("stored as 3");
    expect(channel.append(`a ${Q} 1`)).toBe("duplicate of 3");
    expect(channel.log).toEqual(["a", "b", "a"]);
  });

  test("IDN-4: a message that was overtaken by a later one of the same takes its place, and that comes again", () => {
    const channel = new Channel();
    expect(channel.append(`a ${Q} 1`, { listener: "newcomer", before: "unknown" })).toBe("stored as 1");
    expect(channel.append(`a ${P} 1`)).toBe("duplicate of 1");
    expect(channel.append(`b ${P} 1`)).toBe("stored as 2");
    expect(channel.append(`a ${Q} 1`)).toBe("stored as 3");
    expect(channel.append(`a ${Q} 1`, { listener: "newcomer", before: "unknown" })).toBe("duplicate of 3");
    expect(channel.log).toEqual(["a", "b", "a"]);
  });

  test("IDN-4: a message that overtook an earlier one comes again, though its retry was judged as well", () => {
    const channel = new Channel();
    const newcomer = { listener: "newcomer" };
    expect(channel.append(`a ${Q} 1`, { ...newcomer, before: "unknown" })).toBe("stored as 1");
    expect(channel.append(`a ${Q} 2`, { ...newcomer, before: "same" })).toBe("duplicate of 1");
    expect(channel.append(`a ${P} 1`)).toBe("duplicate of 1");
    expect(channel.append(`b ${P} 1`)).toBe("stored as 2");
    expect(channel.append(`a ${Q} 1`)).toBe("stored as 3");
    expect(channel.append(`a ${Q} 2`, { before: "same" })).toBe("duplicate of 3");
    expect(channel.append(`a ${Q} 3`)).toBe("stored as 4");
    expect(channel.log).toEqual(["a", "b", "a", "a"]);
  });

  test("IDN-2: a message is not overtaken if one of its stretch was refused after it", () => {
    const channel = new Channel();
    const newcomer = { listener: "newcomer" };
    expect(channel.append(`a ${Q} 1`, { ...newcomer, before: "unknown" })).toBe("stored as 1");
    expect(channel.append(`a ${Q} 2`, { ...newcomer, refused: true })).toBe("refused now");
    expect(channel.append(`a ${P} 1`)).toBe("stored as 2");
    expect(channel.append(`a ${Q} 1`)).toBe("duplicate of 2");
    expect(channel.append(`a ${Q} 2`)).toBe("refused");
  });

  test("IDN-1: a message is not overtaken if a later one of its stretch is stored already", () => {
    const channel = new Channel();
    channel.append(`a ${P} 1`);
    expect(channel.append(`a ${Q} 1`, { before: "unknown", listener: "you" })).toBe("duplicate of 1");
    channel.append(`b ${Q} 1`);
    expect(channel.append(`a ${Q} 2`, { listener: "you" })).toBe("stored as 3");
    expect(channel.append(`a ${Q} 1`)).toBe("stored as 4");
    expect(channel.append(`a ${P} 2`)).toBe("stored as 5");
    expect(channel.append(`a ${Q} 2`)).toBe("duplicate of 5");
  });
});

describe("HeardContents, by names that not all share", () => {
  test("IDN-5: heard before the first mark, it is one of those that others stored since it was heard", () => {
    const channel = new Channel();
    channel.append(`a ${P} 1`);
    expect(channel.append("a ~you.1 1", { listener: "you", reachMs: 4_000 })).toBe("duplicate of 1");
    channel.now += 4_001;
    channel.append(`b ${P} 1`);
    expect(channel.append("a ~she.1 1", { listener: "she", reachMs: 4_000 })).toBe("stored as 3");
  });

  test("IDN-5: each message of the others counts once, and no oftener", () => {
    const channel = new Channel();
    for (const text of [`a ${P} 1`, `b ${P} 1`, `a ${P} 2`, `b ${P} 2`]) channel.append(text);
    const you = { listener: "you" };
    for (const text of ["a ~you.1 1", "b ~you.1 1", "a ~you.1 2", "b ~you.1 2"])
      expect(channel.append(text, you)).toMatch(/^duplicate/);
    expect(channel.append("a ~you.1 3", you)).toBe("stored as 5");
    expect(channel.append("a ~you.1 3", you)).toBe("duplicate of 5");
  });

  test("IDN-6: a message stored by a gateway that had heard no mark is the same to one that had, once", () => {
    const channel = new Channel();
    expect(channel.append("a ~new.1 1", { listener: "new", ageMs: 3_000 })).toBe("stored as 1");
    channel.now += 20_000;
    channel.append(`b ${Q} 1`, { listener: "new" });
    expect(channel.append(`a ${P} 1`, { reachMs: 25_000 })).toBe("duplicate of 1");
    expect(channel.append(`a ${P} 2`, { reachMs: 25_000 })).toBe("stored as 3");
    expect(channel.append("a ~new.1 1", { listener: "new" })).toBe("duplicate of 3");
  });

  test("IDN-6: it is no message that was published before, by the clock", () => {
    const channel = new Channel();
    channel.append("a ~new.1 1", { listener: "new", ageMs: 3_000 });
    channel.append("b ~new.1 1", { listener: "new" });
    expect(channel.append(`a ${P} 1`, { reachMs: 2_999 })).toBe("stored as 3");
  });

  test("IDN-6: it is no message that the same gateway heard before its first mark, nor that message as another heard it", () => {
    const channel = new Channel();
    const [one, two] = [{ listener: "one" }, { listener: "two" }];
    expect(channel.append("a ~one.1 1", one)).toBe("stored as 1");
    expect(channel.append("a ~two.1 1", two)).toBe("duplicate of 1");
    channel.append(`b ${P} 1`, one);
    expect(channel.append(`a ${P} 1`, two)).toBe("stored as 3");
    expect(channel.append(`a ${P} 1`, one)).toBe("duplicate of 3");
  });

  test("IDN-6: it is no retry, which came directly after the same, to one that heard something else before", () => {
    const channel = new Channel();
    const one = { listener: "one" };
    expect(channel.append("a ~one.1 1", { ...one, before: "unknown" })).toBe("stored as 1");
    expect(channel.append("a ~one.1 2", { ...one, before: "same" })).toBe("duplicate of 1");
    expect(channel.append(`a ${P} 1`, { before: "unknown" })).toBe("duplicate of 1");
    expect(channel.append(`b ${P} 1`)).toBe("stored as 2");
    expect(channel.append(`a ${P} 2`)).toBe("stored as 3");
    channel.other("over HTTP");
    expect(channel.append(`a ${P} 3`, { before: "same" })).toBe("duplicate of 3");
    expect(channel.append(`a ${P} 4`, { before: "same" })).toBe("stored as 5");
  });

  test("IDN-6: a retry is one by the marks of another server as well", () => {
    const channel = new Channel();
    const one = { listener: "one" };
    channel.append("a ~one.1 1", { ...one, before: "unknown" });
    channel.append("a ~one.1 2", { ...one, before: "same" });
    expect(channel.append(`a ${P} 1`, { before: "unknown" })).toBe("duplicate of 1");
    expect(channel.append(`a ${P} 2`, { before: "same" })).toBe("duplicate of 1");
    channel.append(`b ${P} 1`);
    expect(channel.append(`a ${ELSEWHERE} 1`)).toBe("duplicate of 1");
    expect(channel.append(`a ${ELSEWHERE} 2`)).toBe("stored as 3");
  });

  test("IDN-6: it is no message after a mark that the same gateway heard since", () => {
    const channel = new Channel();
    const [one, two] = [{ listener: "one" }, { listener: "two" }];
    expect(channel.append("a ~one.1 1", one)).toBe("stored as 1");
    expect(channel.append(`a ${P} 1`, { ...one, before: "same" })).toBe("duplicate of 1");
    expect(channel.append(`b ${P} 1`, two)).toBe("stored as 2");
    expect(channel.append(`a ${P} 2`, two)).toBe("stored as 3");
    channel.append(`b ${P} 2`, two);
    expect(channel.append(`a ${Q} 1`, two)).toBe("stored as 5");
    channel.append(`b ${P} 3`, two);
    expect(channel.append("a s1.0.o 1", two)).toBe("duplicate of 5");
  });

  test("IDN-7: by the marks of another server it may be any that was stored since it was published, once", () => {
    const channel = new Channel();
    channel.append(`a ${P} 1`);
    expect(channel.append(`a ${ELSEWHERE} 1`)).toBe("duplicate of 1");
    channel.append(`b ${P} 1`);
    expect(channel.append(`a ${ELSEWHERE} 2`)).toBe("stored as 3");
    channel.now += 5_001;
    channel.append(`b ${P} 2`);
    expect(channel.append(`a ${P} 2`)).toBe("stored as 5");
  });

  test("IDN-6: a refusal is claimed as one", () => {
    const channel = new Channel();
    channel.append("a ~new.1 1", { listener: "new", refused: true });
    expect(channel.append(`a ${P} 1`)).toBe("refused");
    expect(channel.append(`a ${P} 1`)).toBe("refused");
  });
});
