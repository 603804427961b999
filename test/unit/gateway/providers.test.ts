import { describe, expect, test } from "bun:test";
import { JoseTokenVerifier } from "../../../src/adapters/jwt/jose-token-verifier.ts";
import type { VerifiedToken } from "../../../src/domain/access-grant.ts";
import { loadConfig } from "../../../src/gateway/config/config.ts";
import { refusal } from "../../../src/testing/contracts/token-verifier-contract.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { snippetOf } from "../../support/documents.ts";
import { IssuerKey } from "../../support/local-issuer.ts";

type Claims = Readonly<Record<string, unknown>>;

const KEY = new IssuerKey("RS256");
const PAGE = "docs/TOKENS.md";
const ID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const clock = new ManualClock(Date.now());
const PUBLISH = new Set(["analysis:publish"]);

interface Provider {
  readonly settings: string;
  /** The content of a token of a user who may publish, by the documents of the provider. */
  readonly token: Claims;
  readonly reads: Partial<VerifiedToken>;
  /** The claims of other tokens that the settings refuse, with the reason. */
  readonly refuses?: readonly (readonly [Claims, string])[];
}

const FOREIGN = [
  [{ iss: "https://attacker.example" }, "wrong issuer"],
  [{ aud: "another-application" }, "wrong audience"],
] as const;

const PROVIDERS: Readonly<Record<string, Provider>> = {
  Keycloak: {
    settings: snippetOf("docs/TOKENS.md", "Keycloak", "sh"),
    token: {
      jti: "onrtac:5d8c",
      iss: "https://keycloak.example/realms/REALM",
      aud: ["telltale", "account"],
      sub: "f:alice",
      typ: "Bearer",
      azp: "web",
      sid: "0c6d",
      acr: "1",
      "allowed-origins": ["https://app.example"],
      realm_access: { roles: ["default-roles-realm", "offline_access", "analysis:publish"] },
      resource_access: { account: { roles: ["manage-account", "view-profile"] } },
      scope: "openid email profile",
      email_verified: true,
      preferred_username: "alice",
    },
    reads: { userId: "f:alice", scopes: new Set(["default-roles-realm", "offline_access", ...PUBLISH]) },
    refuses: FOREIGN,
  },
  Auth0: {
    settings: snippetOf("docs/TOKENS.md", "Auth0", "sh"),
    token: {
      iss: "https://TENANT.auth0.com/",
      sub: "auth0|123456",
      aud: ["https://telltale.example", "https://TENANT.auth0.com/userinfo"],
      azp: "web",
      scope: "openid profile email",
      permissions: ["analysis:publish"],
      "https://telltale.example/analyses": [ID],
    },
    reads: {
      userId: "auth0|123456",
      analyses: new Set([ID]),
      scopes: new Set(["openid", "profile", "email", ...PUBLISH]),
    },
    refuses: [...FOREIGN, [{ iss: "https://TENANT.auth0.com" }, "wrong issuer"]],
  },
  "Amazon Cognito": {
    settings: snippetOf("docs/TOKENS.md", "Amazon Cognito", "sh"),
    token: {
      sub: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
      "cognito:groups": ["analysis:publish"],
      "cognito:username": "alice",
      email_verified: true,
      iss: "https://cognito-idp.REGION.amazonaws.com/POOL",
      aud: "CLIENT_ID",
      token_use: "id",
      auth_time: 1_500_009_400,
    },
    reads: { userId: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", scopes: PUBLISH },
    refuses: [
      ...FOREIGN,
      [{ aud: undefined, token_use: "access", client_id: "CLIENT_ID" }, "wrong audience"],
    ],
  },
  "Amazon Cognito, access tokens": {
    settings: snippetOf("docs/TOKENS.md", "Amazon Cognito, access tokens", "sh"),
    token: {
      sub: "CLIENT_ID",
      token_use: "access",
      scope: "https://api.example.com/analysis:publish https://other.example.com/notice:publish",
      auth_time: 1_500_009_400,
      iss: "https://cognito-idp.REGION.amazonaws.com/POOL",
      version: 2,
      client_id: "CLIENT_ID",
    },
    reads: {
      userId: "CLIENT_ID",
      scopes: new Set([...PUBLISH, "https://other.example.com/notice:publish"]),
    },
    refuses: [[{ iss: "https://attacker.example" }, "wrong issuer"]],
  },
  "Microsoft Entra ID": {
    settings: snippetOf("docs/TOKENS.md", "Microsoft Entra ID", "sh"),
    token: {
      aud: "APPLICATION_ID",
      iss: "https://login.microsoftonline.com/TENANT/v2.0",
      azp: "6e74172b",
      azpacr: "0",
      name: "Alice",
      oid: "690222be",
      preferred_username: "alice@app.example",
      roles: ["analysis:publish"],
      scp: "access_as_user",
      sub: "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
      tid: "TENANT",
      ver: "2.0",
    },
    reads: { userId: "690222be", scopes: new Set(["access_as_user", ...PUBLISH]) },
    refuses: [...FOREIGN, [{ iss: "https://sts.windows.net/TENANT/" }, "wrong issuer"]],
  },
  Firebase: {
    settings: snippetOf("docs/TOKENS.md", "Firebase", "sh"),
    token: {
      iss: "https://securetoken.google.com/PROJECT",
      aud: "PROJECT",
      auth_time: 1_500_009_400,
      user_id: "alice-uid",
      sub: "alice-uid",
      email: "alice@app.example",
      firebase: { identities: { email: ["alice@app.example"] }, sign_in_provider: "password" },
      telltale_scopes: ["analysis:publish"],
    },
    reads: { userId: "alice-uid", scopes: PUBLISH },
    refuses: FOREIGN,
  },
  Supabase: {
    settings: snippetOf("docs/TOKENS.md", "Supabase", "sh"),
    token: {
      aal: "aal1",
      amr: [{ method: "password", timestamp: 1_500_009_400 }],
      app_metadata: { provider: "email", scopes: ["analysis:publish"] },
      aud: "authenticated",
      iss: "https://PROJECT.supabase.co/auth/v1",
      role: "authenticated",
      session_id: "b4d1",
      sub: "d0714948",
      user_metadata: { scopes: ["notice:publish"] },
      is_anonymous: false,
    },
    reads: { userId: "d0714948", scopes: PUBLISH },
    refuses: FOREIGN,
  },
  Clerk: {
    settings: snippetOf("docs/TOKENS.md", "Clerk", "sh"),
    token: {
      azp: "https://app.example",
      fva: [7, -1],
      iss: "https://INSTANCE.clerk.accounts.dev",
      sid: "sess_123",
      sub: "user_123",
      v: 2,
      sts: "active",
      scopes: ["analysis:publish"],
    },
    reads: { userId: "user_123", scopes: PUBLISH },
    refuses: [[{ iss: "https://OTHER.clerk.accounts.dev" }, "wrong issuer"]],
  },
};

/** The settings as a shell reads them. */
function envOf(snippet: string): Record<string, string> {
  return Object.fromEntries(
    snippet.split("\n").map((line) => {
      const [, name = "", value = ""] = /^(\w+)=(.*)$/.exec(line) ?? [];
      return [name, value.replace(/^'(.*)'$/, "$1")];
    }),
  );
}

function configured(snippet: string) {
  const loaded = loadConfig({ NODE_ENV: "production", ...envOf(snippet) }, () => "");
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded;
}

/** Verifies a token of a provider, with a key of the test in place of those at the provider's address. */
function verifierOf(snippet: string): (claims: Claims) => Promise<VerifiedToken> {
  const { rules } = configured(snippet).config.jwt;
  const verifier = new JoseTokenVerifier({ publicKeys: [KEY.jwk], rules }, clock);
  return (claims) => verifier.verify(KEY.token({ iat: clock.now() / 1000, ...claims }));
}

describe(`the settings of ${PAGE}`, () => {
  test.each(Object.entries(PROVIDERS))(
    "TOK-9: fit tokens of %s",
    async (_, { settings, token, reads, refuses = [] }) => {
      const verify = verifierOf(settings);
      expect(await verify(token)).toMatchObject({ analyses: undefined, unreadable: {}, ...reads });
      for (const [change, reason] of refuses)
        expect(await refusal(verify({ ...token, ...change }))).toBe(reason);
    },
  );

  test.each(Object.entries(PROVIDERS))("TOK-5: name the issuer of %s and one address", (_, { settings }) => {
    const { config, notes } = configured(settings);
    expect(config.jwt).toMatchObject({ secrets: [], generated: false, publicKeys: [] });
    expect([config.jwt.keySets.length, config.jwt.rules.issuers.length]).toEqual([1, 1]);
    expect(notes.join()).not.toContain("another application");
  });

  test("TOK-5: keep the keys of several issuers apart", () => {
    const { keySets } = configured(snippetOf("docs/TOKENS.md", "Several issuers", "sh")).config.jwt;
    expect(keySets).toEqual([
      { url: "https://a.example/jwks.json", issuers: ["https://a.example"] },
      { url: "https://b.example/jwks.json", issuers: ["https://b.example"] },
    ]);
  });
});
