export const HIDDEN = "(hidden)";

/**
 * A text with an address in it, without passwords and without options whose names are like those of secrets. A user without
 * a password may be a token, so that only an address of Redis shows it.
 */
export function withoutCredentials(text: string): string {
  return text
    .replace(/([a-z][a-z+.-]*:\/\/)(.*)@/is, (_, scheme: string, users: string) => {
      // Only a list of servers, each with its user, holds another @.
      const parts = users.includes("@") ? users.split(",") : [users];
      const shown = parts.map((part, index) => {
        const isUser = index === parts.length - 1;
        return isUser && REDIS.test(scheme) && !part.includes(":") ? part : withoutUser(part, isUser);
      });
      return `${scheme}${shown.join(",")}@`;
    })
    .replace(/([?&#][^=&]*(?:pass|key|token|secret)[^=&]*=)[^&]*/gi, `$1${HIDDEN}`);
}

const REDIS = /^rediss?(?:\+[a-z]+)?:/i;

/** `user`, or `user@host:port`; a server without a user stays as it is, unless it is the last part. */
function withoutUser(part: string, isUser: boolean): string {
  const at = part.lastIndexOf("@");
  if (at === -1 && !isUser) return part;
  const user = at === -1 ? part : part.slice(0, at);
  const [name = "", ...password] = user.split(":");
  return (password.length === 0 ? HIDDEN : `${name}:${HIDDEN}`) + (at === -1 ? "" : part.slice(at));
}
