import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { needs } from "../support/needs.ts";
import { usePostgres } from "../support/use-postgres.ts";

setDefaultTimeout(60_000);

describe.skipIf(!needs("postgres"))("the log of a gateway on PostgreSQL", () => {
  const inUse = usePostgres();

  /** A gateway's adapter, and what it logged above the level of debugging. */
  function opened(user: string) {
    const telemetry = new CollectingTelemetry();
    const url = inUse.server.url.replace("postgres@", `${user}@`);
    const broker = inUse.broker({ POSTGRES_URL: url }, telemetry);
    const said = () =>
      telemetry.logs
        .filter(({ level }) => level !== "debug")
        .map(({ message, fields }) =>
          [message, fields.cause].filter((word) => word !== undefined).join(": "),
        );
    const stores = () =>
      eventually("an event would be stored", async () => {
        const health = broker.events.health();
        return health.status === "up" && health.refuses === undefined;
      });
    const fields = (message: string) => telemetry.logs.find((line) => line.message === message)?.fields;
    return { ...broker, said, stores, fields };
  }

  test("RDY-6: an outage is one line, and its end another with its length", async () => {
    const { said, stores, fields, events } = opened("postgres");
    await stores();
    await inUse.server.kill9();
    await eventually("it is down", async () => events.health().status === "down");
    await inUse.server.restart();
    await stores();
    await eventually("its end is told", async () =>
      said().some((line) => line.startsWith("the broker is back")),
    );
    expect(said()[0]).toBe("connected to PostgreSQL: events can be stored");
    expect(said().filter((line) => line.startsWith("the broker is away"))).toHaveLength(1);
    expect(fields("the broker is back")?.after_seconds).toBeGreaterThan(0);
  });

  test("RDY-6: a wrong password is a line, and so is the right one", async () => {
    const admin = inUse.client("public");
    await admin.unsafe("create role locked login superuser password 'right'");
    const [row] = await admin<{ hba_file: string }[]>`show hba_file`;
    const file = row?.hba_file as string;
    const rules = await readFile(file, "utf8");
    await writeFile(file, `host all locked 127.0.0.1/32 scram-sha-256\n${rules}`);
    await admin`select pg_reload_conf()`;
    const { said, stores } = opened("locked:wrong");
    await eventually("it is told", async () => said().length > 0);
    expect(said()).toEqual(["the broker is away: credentials"]);
    await admin.unsafe("alter role locked password 'wrong'");
    await stores();
    await eventually("its end is told", async () => said().includes("the broker is back: credentials"));
    await writeFile(file, rules);
    await admin`select pg_reload_conf()`;
  });

  test("RDY-6: missing rights are a line for each outage, with what PostgreSQL said", async () => {
    const owner = opened("postgres");
    await owner.stores();
    const admin = inUse.client("public");
    await admin.unsafe("create role poor login");
    const { said, fields, stores } = opened("poor");
    await eventually("it is told", async () => said().length > 0);
    expect(said()).toEqual(["the broker is away: permission"]);
    expect(fields("the broker is away")?.detail).toContain("permission denied");
    await admin.unsafe(`grant usage on schema telltale to poor;
      grant select, insert, update, delete on all tables in schema telltale to poor`);
    await stores();
    await eventually("its end is told", async () => said().includes("the broker is back: permission"));
    await admin.unsafe("revoke insert on telltale.events from poor");
    const isTold = (line: string) => said().filter((it) => it.startsWith(line)).length === 2;
    await eventually("it is told again", async () => isTold("the broker is away: permission"));
    await admin.unsafe("grant insert on telltale.events to poor");
    await eventually("its end is told again", async () => isTold("the broker is back: permission"));
  });

  test("RDY-2: a dead letter that may not be kept shows in the health", async () => {
    await opened("postgres").stores();
    const admin = inUse.client("public");
    await admin.unsafe(`create role letterless login; grant usage on schema telltale to letterless;
      grant select, insert, update, delete on all tables in schema telltale to letterless;
      revoke insert on telltale.dead_letters from letterless`);
    const { deadLetters, stores } = opened("letterless");
    await stores();
    const letter = { channel: "analysis:one", payload: "x", reason: "not_json", windowMs: 1, rememberMs: 1 };
    await expect(deadLetters.keep(letter as never)).rejects.toThrow("permission denied");
    expect(deadLetters.trouble).toMatchObject({ cause: "permission" });
  });
});
