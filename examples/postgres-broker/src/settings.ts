type Env = Readonly<Record<string, string | undefined>>;

export interface Settings {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** The schema of every table and function; also the name of the channel for NOTIFY. */
  readonly schema: string;
}

const SCHEMA = /^[a-z_][a-z0-9_]{0,40}$/;

/** Reads POSTGRES_URL and POSTGRES_SCHEMA. Throws with the name of the one that is wrong, never with a value. */
export function readSettings(env: Env): Settings {
  const url = env.POSTGRES_URL ?? "";
  if (!/^postgres(?:ql)?:\/\//.test(url) || !URL.canParse(url))
    throw new Error("POSTGRES_URL must be postgres://[user[:password]@]host[:port]/database");
  const schema = env.POSTGRES_SCHEMA ?? "telltale";
  if (!SCHEMA.test(schema))
    throw new Error("POSTGRES_SCHEMA must be a name of small letters, digits and underscores");
  return { url, schema };
}
