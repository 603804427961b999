/** The user that a gateway is at Redis, and the setting that has its password. */
interface KnownUser {
  readonly username?: string | undefined;
  readonly passwordFrom?: { readonly setting: string } | undefined;
}

/** How an operator mends a user or a password that Redis does not take. It holds no password. */
export function credentialsHint({ username, passwordFrom }: KnownUser): string {
  if (username === undefined) {
    const tried = "no user in REDIS_URL: `default` was tried";
    return passwordFrom === undefined
      ? `${tried}, without a password: set REDIS_PASSWORD_FILE`
      : `${tried}, with the password from ${passwordFrom.setting}`;
  }
  const user = `look at user \`${username}\` of REDIS_URL`;
  return passwordFrom === undefined
    ? `${user}, and set REDIS_PASSWORD_FILE: there is no password`
    : `${user}, and at the password from ${passwordFrom.setting}`;
}

/** How an operator mends an address at which nobody answers; undefined if the runtime says something else. */
export function addressHint(said: string): string | undefined {
  if (/ENOTFOUND|EAI_AGAIN/.test(said)) return "look at the host in the address, and at name resolution";
  if (/ECONNREFUSED/.test(said)) return "look at host and port, and whether Redis runs there";
  if (/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/.test(said))
    return "look at host and port, at firewalls, and whether Redis runs there";
  return undefined;
}
