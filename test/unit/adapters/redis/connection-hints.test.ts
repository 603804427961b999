import { describe, expect, test } from "bun:test";
import { certificateFault } from "../../../../src/adapters/broker/certificate-fault.ts";
import { addressHint, credentialsHint } from "../../../../src/adapters/redis/connection-hints.ts";
import { grantHint, rulesFor } from "../../../../src/adapters/redis/redis-acl.ts";
import { endFor } from "../../../../src/adapters/redis/redis-connection.ts";

class ReplyError extends Error {
  override readonly name = "ReplyError";
}

const AT = { host: "redis", port: 6379, db: 0 };

describe("OPS-15: the words for a connection to Redis that fails", () => {
  test.each([
    [
      { username: "gateway", passwordFrom: { setting: "REDIS_PASSWORD_FILE" } },
      "look at user `gateway` of REDIS_URL, and at the password from REDIS_PASSWORD_FILE",
    ],
    [
      { passwordFrom: { setting: "REDIS_PASSWORD" } },
      "no user in REDIS_URL: `default` was tried, with the password from REDIS_PASSWORD",
    ],
    [
      { username: "gateway" },
      "look at user `gateway` of REDIS_URL, and set REDIS_PASSWORD_FILE: there is no password",
    ],
    [{}, "no user in REDIS_URL: `default` was tried, without a password: set REDIS_PASSWORD_FILE"],
  ])("name the user and the setting of the password: %j", (user, hint) => {
    expect(credentialsHint(user)).toBe(hint);
    const { trouble, detail } = endFor(new ReplyError("WRONGPASS invalid."), {
      ...AT,
      ...user,
      password: "s3",
    });
    expect([trouble.cause, detail]).toEqual(["credentials", `WRONGPASS invalid; ${hint}`]);
  });

  test.each([
    ["connect ECONNREFUSED 10.0.0.1:6379", "whether Redis runs there"],
    ["connect ETIMEDOUT", "at firewalls"],
    ["getaddrinfo ENOTFOUND redis", "name resolution"],
  ])("say where to look after %s", (said, hint) => {
    expect(addressHint(said)).toContain(hint);
    expect(endFor(new Error(said), AT).detail).toBe(`${said}; ${addressHint(said)}`);
    const detail = endFor(new Error(said), { ...AT, tls: { verifies: true } }).detail;
    expect(detail).toBe(`${said}; ${addressHint(said)}`);
  });

  test.each([
    [true, "REDIS_CA does not hold the authority"],
    [false, "set REDIS_CA_FILE"],
  ])("name REDIS_CA as the setting to look at only if it is set: %p", (isCaSet, hint) => {
    const words = { broker: "Redis", address: "REDIS_URL", cert: "REDIS_CERT", key: "REDIS_KEY", plain: "" };
    const error = Object.assign(new Error("no"), { code: "SELF_SIGNED_CERT_IN_CHAIN" });
    expect(certificateFault(error, { ...words, ca: "REDIS_CA", isCaSet })?.message).toContain(hint);
    const tls = isCaSet ? { ca: "PEM", verifies: true } : { verifies: true };
    expect(endFor(error, { ...AT, tls }).detail).toContain(hint);
  });
});

describe("OPS-15: the rule for a permission that is missing", () => {
  test.each([
    ["channels of PSUBSCRIBE", ["PSUBSCRIBE", "user:*"], "&user:*"],
    ["channels of SUBSCRIBE", ["SUBSCRIBE", "system:updates"], "&system:updates"],
    ["channels", ["PUBLISH", "telltale:0:{analysis:1}", ""], "&telltale:*"],
    ["keys of XLEN", ["XLEN", "telltale:inbox"], "~telltale:*"],
    ["XDEL", ["XDEL", "telltale:inbox", "0-1"], "+xdel"],
    ["HSET or HGET", ["EVAL", ""], "+hset +hget"],
  ] as const)("%s is the least that gives it: %j", (permission, tried, rule) => {
    expect(rulesFor(permission, tried).join(" ")).toBe(rule);
  });

  test("names the user, each rule once, and how it is kept", () => {
    expect(grantHint("gateway", ["&user:*", "+xdel", "&user:*"])).toBe(
      "allow it: ACL SETUSER gateway &user:* +xdel, then ACL SAVE; or edit the file of the users, then ACL LOAD",
    );
    expect(grantHint(undefined, ["+xdel"])).toContain("ACL SETUSER default +xdel");
  });
});
