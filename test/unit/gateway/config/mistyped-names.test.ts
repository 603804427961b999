import { describe, expect, test } from "bun:test";
import { mistypedNames } from "../../../../src/gateway/config/mistyped-names.ts";
import { CONFIG_VARIABLES } from "../../../../src/gateway/config/variables.ts";
import { ORDINARY_VARIABLES } from "../../../support/ordinary-variables.ts";

describe("CFG-6: a name close to a setting's is a warning that names the setting", () => {
  test.each([
    ["HISTROY_SIZE", "HISTORY_SIZE"],
    ["HISTORYSIZE", "HISTORY_SIZE"],
    ["HISTORY_SIZES", "HISTORY_SIZE"],
    ["HISTORY_TTL", "HISTORY_TTL_SECONDS"],
    ["HISTORY_TTL_MS", "HISTORY_TTL_SECONDS"],
    ["HEARTBEAT_INTERVAL", "HEARTBEAT_INTERVAL_SECONDS"],
    ["HEARTBEAT_TIMEOUT_MS", "HEARTBEAT_TIMEOUT_SECONDS"],
    ["HEARBEAT_TIMEOUT_SECOND", "HEARTBEAT_TIMEOUT_SECONDS"],
    ["STALL_AFTER", "STALL_AFTER_SECONDS"],
    ["JWT_SECRET", "JWT_SECRET_KEY"],
    ["JWT_KEY", "JWT_SECRET_KEY"],
    ["JWT_SECERT_KEY", "JWT_SECRET_KEY"],
    ["JWT_SECRET_FILE", "JWT_SECRET_KEY"],
    ["JWT_SECRTE_KEY_FILE", "JWT_SECRET_KEY"],
    ["ALLOWED_ORIGIN", "ALLOWED_ORIGINS"],
    ["ALOWED_ORIGINS", "ALLOWED_ORIGINS"],
    ["REDIS_URI", "REDIS_URL"],
    ["REDIS_PROT", "REDIS_PORT"],
    ["REDIS_PASSWROD", "REDIS_PASSWORD"],
    ["LOGLEVEL", "LOG_LEVEL"],
    ["LOG-LEVEL", "LOG_LEVEL"],
    ["log_level", "LOG_LEVEL"],
    ["TELLTALE_LOG_LEVEL", "LOG_LEVEL"],
    ["TELLTALE_PORT", "PORT"],
    ["TELLTALE_HISTROY_SIZE", "HISTORY_SIZE"],
    ["WATCH_DEFUALT", "WATCH_DEFAULT"],
    ["MAX_CONNECTION", "MAX_CONNECTIONS"],
    ["MAX_CONNECTIONS_USER", "MAX_CONNECTIONS_PER_USER"],
    ["NODE_EVN", "NODE_ENV"],
    ["PROT", "PORT"],
    ["HSOT", "HOST"],
    ["BORKER", "BROKER"],
    ["LITSEN", "LISTEN"],
    ["DEOM", "DEMO"],
    ["TLS_CERT", "TLS_CERT_FILE"],
    ["TLS_KEY", "TLS_KEY_FILE"],
    ["TLS_CRT_FILE", "TLS_CERT_FILE"],
    ["REDIS_CERTS_FILE", "REDIS_CERT"],
  ])("%s: is %s meant", (name, meant) => {
    expect(mistypedNames({ [name]: "hunter2" })).toEqual([
      `${name} is no setting of Telltale and not used. Is ${meant} meant?`,
    ]);
  });

  test("is not asked of a setting of a broker while the broker is a module, which has settings of its own", () => {
    for (const name of ["REDSI_URL", "BORKER", "REDIS_CERTS"])
      expect([mistypedNames({ [name]: "x" }).length, mistypedNames({ [name]: "x" }, true)]).toEqual([1, []]);
    expect(mistypedNames({ HISTROY_SIZE: "1" }, true)).toHaveLength(1);
  });

  test("finds each setting with two letters swapped", () => {
    for (const { name } of CONFIG_VARIABLES) {
      const swapped = `${name[1]}${name[0]}${name.slice(2)}`;
      expect([swapped, mistypedNames({ [swapped]: "x" }).join()]).toEqual([
        swapped,
        expect.stringContaining(` ${name} `),
      ]);
    }
  });

  test("warns of no setting, of none from a file, and of no empty variable", () => {
    const known = CONFIG_VARIABLES.flatMap(({ name }) => [name, `${name}_FILE`]);
    expect(mistypedNames(Object.fromEntries(known.map((name) => [name, "x"])))).toEqual([]);
    expect(mistypedNames({ HISTROY_SIZE: "", JWT_SECRET: undefined })).toEqual([]);
  });

  test.each(["REDIS", "TELLTALE", "HOST", "PORT", "JWT_SECRET", "NATS", "BROKER", "LOG"])(
    "a variable that Kubernetes sets for a Service named %s is not warned of",
    (service) => {
      const address = "tcp://10.0.0.5:6379";
      const injected = {
        [`${service}_SERVICE_HOST`]: "10.0.0.5",
        [`${service}_SERVICE_PORT`]: "6379",
        [`${service}_SERVICE_PORT_HTTP`]: "6379",
        [`${service}_PORT`]: address,
        [`${service}_PORT_6379_TCP`]: address,
        [`${service}_PORT_6379_TCP_ADDR`]: "10.0.0.5",
        [`${service}_PORT_6379_TCP_PORT`]: "6379",
        [`${service}_PORT_6379_TCP_PROTO`]: "tcp",
      };
      expect(mistypedNames(injected)).toEqual([]);
    },
  );

  test("warns of nothing in an ordinary environment", () => {
    expect(ORDINARY_VARIABLES.length).toBeGreaterThan(300);
    expect(mistypedNames(Object.fromEntries(ORDINARY_VARIABLES.map((name) => [name, "x"])))).toEqual([]);
  });
});
