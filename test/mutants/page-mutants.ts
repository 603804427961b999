import type { Mutant } from "./mutants.ts";

/** Breakages of what runs in browsers and publishers. */
export const PAGE_MUTANTS: readonly Mutant[] = [
  {
    name: "leaves an analysis when React subscribes again",
    file: "clients/js/analyses-store.ts",
    find: "if (listeners.size > 0) sync();",
    replace: "sync();",
    killers: ["test/unit/client/react.test.ts"],
  },
  {
    name: "renders a list of React at each event",
    file: "clients/js/analyses-store.ts",
    find: "if (inMs > 0 && tellsOnlyOfProgress(entry.shown, next)) showIn(inMs);\n    else ",
    replace: "",
    killers: ["test/unit/client/react-lists.test.ts"],
  },
  {
    name: "shows a connection that is tried again as one that is there",
    file: "src/web/element/element-words.ts",
    find: 'connection.status === "connecting" ? say("reconnecting") : connectionWords(connection, say)',
    replace: "connectionWords(connection, say)",
    killers: ["test/unit/web/element-words.test.ts"],
  },
  {
    name: "says when an analysis is done while nobody can know",
    file: "src/web/element/element-words.ts",
    find: 'connection.status !== "live" || analysis',
    replace: "analysis",
    killers: ["test/unit/web/element-words.test.ts"],
  },
  {
    name: "lets every visitor of a public demo cancel",
    file: "src/adapters/http/demo/demo-routes.ts",
    find: "const mayCancel = dependencies.ownNamesOnly;",
    replace: "const mayCancel = true;",
    killers: ["test/unit/adapters/http/demo-routes.test.ts"],
  },
  {
    name: "waits for a token for ever",
    file: "src/client/watch/token.ts",
    find: "const TOKEN_TIMEOUT_MS = 10_000;",
    replace: "const TOKEN_TIMEOUT_MS = 1e12;",
    killers: ["test/unit/client/watch/coming-back.test.ts"],
  },
  {
    name: "gives up within a second when a token is refused",
    file: "src/client/watch/retry-plan.ts",
    find: "const TOKEN_PAUSES_MS = [8_000, 50_000];",
    replace: "const TOKEN_PAUSES_MS = [300, 500];",
    killers: ["test/unit/client/watch/coming-back.test.ts"],
  },
  {
    name: "begins telltale watch --json with the state in place of the events",
    file: "src/gateway/commands/watch/every-event.ts",
    find: 'replay: "all"',
    replace: 'replay: "state"',
    killers: ["test/unit/gateway/commands/every-event.test.ts"],
  },
  {
    name: "lets a publish wait for ever for its token",
    file: "src/client/publish-attempts.ts",
    find: 'deadline.addEventListener("abort", onLate);',
    replace: "",
    killers: ["test/unit/client/publisher.test.ts"],
  },
  {
    name: "shows an estimate that is overdue",
    file: "src/web/demo/format.ts",
    find: "return left >= 1000 ? clockTime(left) : undefined;",
    replace: "return clockTime(left);",
    killers: ["test/unit/web/format.test.ts"],
  },
  {
    name: "takes the first stage that it has seen for the beginning",
    file: "src/web/words/stage-times.ts",
    find: "return stages.length < STAGE_MARKS_KEPT;",
    replace: "return stages.length > 0;",
    killers: ["test/unit/web/stage-times.test.ts"],
  },
  {
    name: "believes a field that the gateway passes on unread",
    file: "examples/video-worker/web/page/region.ts",
    find: 'return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : otherwise;',
    replace: "return (value as number) ?? otherwise;",
    killers: ["test/unit/web/any-accepted-event.test.ts"],
  },
];
