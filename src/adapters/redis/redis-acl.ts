import type { Tried } from "./redis-parts.ts";

/**
 * The ACL rules with the least that gives a user what it lacks, as `permissionOf` names it, to run `tried`. Workers publish
 * on channels of their own, and the gateway hears nothing else.
 */
export function rulesFor(permission: string, [, ...args]: Tried): string[] {
  if (permission.startsWith("keys")) return ["~telltale:*"];
  if (permission.startsWith("channels")) {
    const [channel = "*"] = args;
    return [channel.startsWith("telltale:") ? "&telltale:*" : `&${channel}`];
  }
  return permission.split(" or ").map((command) => `+${command.toLowerCase()}`);
}

/** The command that gives them to a user, and how they outlast a restart. */
export function grantHint(username: string | undefined, rules: readonly string[]): string {
  const command = `ACL SETUSER ${username ?? "default"} ${[...new Set(rules)].join(" ")}`;
  return `allow it: ${command}, then ACL SAVE; or edit the file of the users, then ACL LOAD`;
}
