import { describe, expect, test } from "bun:test";
import { nkeys } from "@nats-io/transport-node";
import { connectTo } from "../../src/adapters/nats/nats-connection.ts";
import { troubleOf } from "../../src/adapters/nats/nats-errors.ts";
import { startNats } from "../support/nats-server.ts";
import { needs } from "../support/needs.ts";

type KeyPair = ReturnType<typeof nkeys.createUser>;

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const base64 = (text: string | Uint8Array) => Buffer.from(text).toString("base64url");

/** A claim as NATS has it, signed by the pair of a key. */
function signed(issuer: KeyPair, subject: KeyPair, nats: object): string {
  const claim = { jti: "1", iat: 1, iss: issuer.getPublicKey(), sub: subject.getPublicKey(), nats };
  const body = [{ typ: "JWT", alg: "ed25519-nkey" }, claim]
    .map((part) => base64(JSON.stringify(part)))
    .join(".");
  return `${body}.${base64(issuer.sign(new TextEncoder().encode(body)))}`;
}

describe.skipIf(!needs("nats-server"))("a connection to NATS without a password", () => {
  test("proves who it is by the seed of a user's key", async () => {
    const [known, stranger] = [nkeys.createUser(), nkeys.createUser()];
    const config = `authorization { users = [ { nkey: "${known.getPublicKey()}" }, { user: "test", password: "t" } ] }`;
    await using nats = await disposable({ config, user: { user: "test", pass: "t" } });
    const as = (key: KeyPair) =>
      connectTo({ servers: [nats.address], credentials: textOf(key.getSeed()) }, "test");
    await (await as(known)).close();
    expect(troubleOf(await as(stranger).catch((error: unknown) => error))).toEqual({ cause: "credentials" });
  }, 60_000);

  test("proves who it is by a credentials file", async () => {
    const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
    const limits = {
      subs: -1,
      conn: -1,
      leaf: -1,
      imports: -1,
      exports: -1,
      data: -1,
      payload: -1,
      wildcards: true,
    };
    const ofAccount = signed(operator, account, { type: "account", version: 2, limits });
    const ofUser = signed(account, user, { type: "user", version: 2, subs: -1, data: -1, payload: -1 });
    const credentials = [
      `-----BEGIN NATS USER JWT-----\n${ofUser}\n------END NATS USER JWT------\n`,
      `-----BEGIN USER NKEY SEED-----\n${textOf(user.getSeed())}\n------END USER NKEY SEED------\n`,
    ].join("\n");
    const config = `operator: ${signed(operator, operator, { type: "operator", version: 2 })}
resolver: MEMORY
resolver_preload: { ${account.getPublicKey()}: ${ofAccount} }`;
    await using nats = await disposable({ config, jetstream: false, credentials });
    const connection = await connectTo({ servers: [nats.address], credentials }, "test");
    await connection.close();
  }, 60_000);
});

async function disposable(options: Parameters<typeof startNats>[0]) {
  const nats = await startNats(options);
  return { address: nats.address, [Symbol.asyncDispose]: () => nats.stop() };
}
