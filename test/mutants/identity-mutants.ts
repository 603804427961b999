import type { Mutant } from "./mutants.ts";

const HEARD = "src/domain/heard-contents.ts";
const HEARD_TESTS = ["test/unit/domain/heard-contents.test.ts"];
const COUNTER = "src/adapters/system/occurrence-counter.ts";
const COUNTER_TESTS = ["test/unit/adapters/system/occurrence-counter.test.ts"];
const INGEST = "src/application/ingest-bare-message.ts";
const INGEST_TESTS = [
  "test/unit/application/ingest-bare-message.test.ts",
  "test/unit/application/ingest-beside-others.test.ts",
];
const SCRIPT = "src/adapters/redis/scripts/deduplicate.lua";
const SCRIPT_TESTS = ["test/integration/redis-pub-sub.test.ts"];

/** Mutants of the names that tell one bare message from another of the same bytes. */
export const IDENTITY_MUTANTS: readonly Mutant[] = [
  {
    name: "counts every message of the same bytes as the first",
    file: COUNTER,
    find: "const number = (this.#counts.get(name) ?? 0) + 1;",
    replace: "const number = 1;",
    killers: COUNTER_TESTS,
  },
  {
    name: "counts on over a mark",
    file: COUNTER,
    find: "    this.#counts.clear();",
    replace: "",
    killers: COUNTER_TESTS,
  },
  {
    name: "counts on over the loss of a connection",
    file: COUNTER,
    find: "    this.#last.clear();\n    this.#beginOwn(now);",
    replace: "",
    killers: COUNTER_TESTS,
  },
  {
    name: "remembers every content that it heard since the last mark",
    file: COUNTER,
    find: "if (this.#counts.size >= MOST_COUNTED) this.#beginOwn(earliest);",
    replace: "",
    killers: COUNTER_TESTS,
  },
  {
    name: "publishes a mark of its own beside those of others",
    file: "src/adapters/redis/marked-counter.ts",
    find: "    this.#markedAt = this.#options.clock.now();",
    replace: "",
    killers: ["test/unit/adapters/redis/marked-counter.test.ts"],
  },
  {
    name: "forgets a message that was judged once",
    file: HEARD,
    find: "known: Math.max(known, number),",
    replace: "known: known + 1,",
    killers: HEARD_TESTS,
  },
  {
    name: "stores a retry",
    file: HEARD,
    find: 'if (!retry) return { type: "new" };',
    replace: 'return { type: "new" };',
    killers: HEARD_TESTS,
  },
  {
    name: "takes an error after another try for a retry",
    file: HEARD,
    find: 'case "other":\n        return false;',
    replace: 'case "other":',
    killers: HEARD_TESTS,
  },
  {
    name: "takes what came by another way for nothing",
    file: HEARD,
    find: "return this.#run.to === newest && place.firstOffset >= this.#run.from;",
    replace: "return true;",
    killers: HEARD_TESTS,
  },
  {
    name: "lets who does not know decide",
    file: HEARD,
    find: ' && !(number === own.unsure && occurrence.before === "other")',
    replace: "",
    killers: HEARD_TESTS,
  },
  {
    name: "stores what was overtaken behind what overtook it",
    file: HEARD,
    find: "if (later !== undefined && isLater(later.name, occurrence.stretch)) {",
    replace: "if (false) {",
    killers: HEARD_TESTS,
  },
  {
    name: "takes one message back where its retries came with it",
    file: HEARD,
    find: "judgedUntil(storedAs.number - 1, later)",
    replace: "judgedUntil(later.known - 1, later)",
    killers: HEARD_TESTS,
  },
  {
    name: "takes a refusal back with the message before it",
    file: HEARD,
    find: "keepsName ? storedAs : undefined",
    replace: "storedAs",
    killers: HEARD_TESTS,
  },
  {
    name: "takes a stored message back with the one before it",
    file: HEARD,
    find: "number > known ? { stretch: name, number } : undefined",
    replace: "{ stretch: name, number }",
    killers: HEARD_TESTS,
  },
  {
    name: "takes what came after a mark for what came before it",
    file: HEARD,
    find: "return shows && precedes === undefined ? { ...stretch, precedes: occurrence.stretch } : stretch;",
    replace: "return stretch;",
    killers: HEARD_TESTS,
  },
  {
    name: "stores again what a newcomer stored",
    file: HEARD,
    find: "if (other !== undefined) {",
    replace: "if (false) {",
    killers: HEARD_TESTS,
  },
  {
    name: "takes one event of a newcomer for any number",
    file: HEARD,
    find: "const changed = { ...other, handled: other.handled - 1 };",
    replace: "const changed = other;",
    killers: HEARD_TESTS,
  },
  {
    name: "stores as a newcomer what others stored",
    file: HEARD,
    find: "if (judged >= number) return known(place, stretches, undefined);",
    replace: "",
    killers: HEARD_TESTS,
  },
  {
    name: "looks no further back for a late append",
    file: INGEST,
    find: "reachMs: Math.max(lateMs, sinceMs) + ON_ITS_WAY_MS,",
    replace: "reachMs: sinceMs + ON_ITS_WAY_MS,",
    killers: INGEST_TESTS,
  },
  {
    name: "looks not back to where it began to listen",
    file: INGEST,
    find: "reachMs: Math.max(lateMs, sinceMs) + ON_ITS_WAY_MS,",
    replace: "reachMs: lateMs + ON_ITS_WAY_MS,",
    killers: INGEST_TESTS,
  },
  {
    name: "does not widen the minute of a late retry",
    file: INGEST,
    find: "retryMs: RETRY_WINDOW_MS + lateMs,",
    replace: "retryMs: RETRY_WINDOW_MS,",
    killers: INGEST_TESTS,
  },
  {
    name: "forgets what it refused",
    file: "src/adapters/memory/in-memory-pub-sub.ts",
    find: 'if (key?.by === "occurrence") kept.heard.refused(key, appended, now);',
    replace: "",
    killers: ["test/contract/in-memory-broker.test.ts"],
  },
  {
    name: "forgets on Redis what it refused",
    file: "src/adapters/redis/scripts/append-events.lua",
    find: "      remember_judged(key, content, heard or heard_at(at), { refusal = refusal[2] .. ':' .. refusal[3] })",
    replace: "",
    killers: SCRIPT_TESTS,
    needs: "redis-server",
  },
  {
    name: "does not know on Redis what came by another way",
    file: "src/adapters/redis/scripts/append-events.lua",
    find: "    if bare_to ~= first - 1 then bare_from = first end",
    replace: "",
    killers: SCRIPT_TESTS,
    needs: "redis-server",
  },
  {
    name: "stores again on Redis what a newcomer stored",
    file: SCRIPT,
    find: "    if claimed then",
    replace: "    if false then",
    killers: SCRIPT_TESTS,
    needs: "redis-server",
  },
  {
    name: "takes back on Redis one message where its retries came with it",
    file: SCRIPT,
    find: "from = tonumber(stored_number) })",
    replace: "from = heard.number + 1 })",
    killers: ["test/integration/redis-vectors.test.ts"],
    needs: "redis-server",
  },
  {
    name: "takes on Redis what came after a mark for what came before it",
    file: SCRIPT,
    find: "if its_next == '' and not is_own(heard.stretch) and is_its_own(name, heard) then its_next = heard.stretch end",
    replace: "",
    killers: ["test/integration/redis-vectors.test.ts"],
    needs: "redis-server",
  },
  {
    name: "marks on a replica, where nobody else hears it",
    file: "src/adapters/redis/scripts/publish-mark.lua",
    find: "#!lua flags=allow-oom",
    replace: "#!lua flags=no-writes",
    killers: ["test/integration/redis-worker-channels.test.ts"],
    needs: "redis-server",
  },
];
