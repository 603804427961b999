import type { Mutant } from "./mutants.ts";

/** Faults in the question whether a token is good and whether its holder may do something. */
export const ACCESS_MUTANTS: readonly Mutant[] = [
  {
    name: "tells a client to fetch another token when nobody can judge its own",
    file: "src/session/admission.ts",
    find: 'if (error instanceof AccessUndecided) return "access_undecided";',
    replace: 'if (error instanceof AccessUndecided) return "unauthenticated";',
    killers: ["test/unit/session/admission.test.ts"],
  },
  {
    name: "calls the broker away when a policy cannot decide",
    file: "src/session/subscription.ts",
    find: 'if (error instanceof AccessUndecided) return "access_undecided";',
    replace: "",
    killers: ["test/unit/session/replaced-policy.test.ts"],
  },
  {
    name: "keeps the feed of a watch that the policy could not decide",
    file: "src/application/subscribe-to-analysis.ts",
    find: "if (watch === undefined) lease.release();\n      else watch.end();",
    replace: "watch?.end();",
    killers: ["test/unit/adapters/http/replaced-policy.test.ts"],
  },
  {
    name: "takes everybody with the scope for a publisher of every analysis",
    file: "src/adapters/http/require-scope.ts",
    find: 'if (verdict !== "allowed") return problem(context, verdict);\n    context.set("analysisId", id);',
    replace: 'context.set("analysisId", id);',
    killers: ["test/unit/adapters/http/publishing.test.ts"],
  },
  {
    name: "sends notices of publishers whom the policy refuses",
    file: "src/adapters/http/notice-routes.ts",
    find: "scope, requireNotifier(access), async",
    replace: "scope, async",
    killers: ["test/unit/adapters/http/replaced-policy.test.ts"],
  },
  {
    name: "lets a read go on under viewers that exclude its user",
    file: "src/application/read-events.ts",
    find: 'return after === "allowed" ? page : after;',
    replace: "return page;",
    killers: [
      "test/unit/application/read-events.test.ts",
      "test/unit/application/read-events-rights.test.ts",
    ],
  },
  {
    name: "shows the publishes of every way in as those over HTTP",
    file: "src/application/metric-store.ts",
    find: "labels === undefined ?",
    replace: "labels !== null ?",
    killers: ["test/unit/application/metric-store.test.ts"],
  },
  {
    name: "asks the application about a page of another origin",
    file: "src/gateway/embedded/own-authentication.ts",
    find: 'if (!isOriginAllowed(origin, headers.get("Host"), policy)) return undefined;',
    replace: "",
    killers: ["test/unit/gateway/embedded/own-authentication.test.ts"],
  },
  {
    name: "shows the application a cookie that another site may have sent",
    file: "src/gateway/embedded/own-authentication.ts",
    find: 'if (maybeOtherSite || !cookiesCount(policy)) headers.delete("Cookie");',
    replace: 'if (!cookiesCount(policy)) headers.delete("Cookie");',
    killers: ["test/unit/gateway/embedded/own-authentication.test.ts"],
  },
  {
    name: "lets a user in whose grant of the application has expired",
    file: "src/gateway/embedded/own-authentication.ts",
    find: "holder !== undefined && holder.expiresAt > clock.now() ? holder : undefined",
    replace: "holder",
    killers: ["test/unit/gateway/embedded/own-authentication.test.ts"],
  },
  {
    name: "asks the token of a publisher in place of the application",
    file: "src/adapters/http/require-scope.ts",
    find: "if (presented !== undefined) return presentedGrant(tokens, presented);",
    replace: "",
    killers: ["test/unit/gateway/embedded/own-authentication.test.ts"],
  },
  {
    name: "waits for no request when an embedded gateway drains",
    file: "src/gateway/embedded/create-telltale.ts",
    find: "answered: () => underWay.none()",
    replace: "answered: async () => {}",
    killers: ["test/unit/gateway/embedded/create-telltale.test.ts"],
  },
];
