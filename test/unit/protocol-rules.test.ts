import { describe, expect, test } from "bun:test";

const root = new URL("../..", import.meta.url).pathname;

describe("the rules of the protocol", async () => {
  const page = await Bun.file(`${root}docs/PROTOCOL.md`).text();
  const rules = [...page.matchAll(/^\| ([A-Z]+-\d+) \| (.+) \|$/gm)].map(([, id = "", sentence = ""]) => ({
    id,
    sentence,
  }));
  const prefixes = [...new Set(rules.map(({ id }) => id.slice(0, id.indexOf("-"))))];
  const ID = new RegExp(`\\b(?:${prefixes.join("|")})-\\d+\\b`, "g");
  const titles = await titlesOfTests();

  test("each has one ID and one sentence", () => {
    expect(rules.length).toBeGreaterThan(90);
    expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
    for (const { id, sentence } of rules)
      expect([id, sentence]).toEqual([id, expect.stringMatching(/^.+\.$/)]);
  });

  test("each is held by a test that begins with its ID", () => {
    const held = new Set(titles.flatMap((title) => title.match(ID) ?? []));
    expect(rules.map(({ id }) => id).filter((id) => !held.has(id))).toEqual([]);
  });

  test("no test names a rule that is not there", () => {
    const known = new Set(rules.map(({ id }) => id));
    const named = titles.flatMap((title) => title.match(ID) ?? []);
    expect([...new Set(named)].filter((id) => !known.has(id))).toEqual([]);
  });
});

/** The texts in quotes that begin with an ID: the names of tests, and of groups of them. */
async function titlesOfTests(): Promise<string[]> {
  const files = ["test/**/*.ts", "src/testing/**/*.ts"].flatMap((pattern) => [
    ...new Bun.Glob(pattern).scanSync({ cwd: root }),
  ]);
  const texts = await Promise.all(files.map((file) => Bun.file(`${root}${file}`).text()));
  return texts.flatMap((text) => text.match(/["'`][A-Z]+-\d+[ :][^\n]*/g) ?? []);
}
