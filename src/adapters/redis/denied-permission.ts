/** What Redis wrote where its user may not do something, in the words of Redis 7.0 and of later ones. */
const COMMAND = /(?:no permissions to run the|can't run the) '([A-Za-z|._-]{1,40})' command/;
const KEYS =
  /permissions to access (?:one of the keys|a key|the '.*' key)|can't access at least one of the keys/;
const CHANNELS =
  /permissions to access (?:one of the channels|a channel|the '.*' channel)|can't publish to the channel/;
const IN_SCRIPT = /^(?:ERR )?(?:The user executing the script |ACL failure in script)/;
const LINE = /@user_script:(\d+)/;

/** Commands of our scripts that come before whatever they write. */
const BEFORE_WRITES: ReadonlySet<string> = new Set(["TIME", "HMGET", "INFO", "HEXISTS"]);

export function isDenied(message: string): boolean {
  return message.startsWith("NOPERM") || IN_SCRIPT.test(message);
}

/** The name of the command, or what may not be used; `script` is the text that the message is about. */
export function permissionOf(message: string, script = ""): string | undefined {
  const command = COMMAND.exec(message)?.[1] ?? commandOnLine(message, script);
  if (KEYS.test(message)) return command === undefined ? "keys" : `keys of ${command.toUpperCase()}`;
  if (CHANNELS.test(message))
    return command === undefined ? "channels" : `channels of ${command.toUpperCase()}`;
  return command?.toUpperCase();
}

/** Where Redis stopped a script for want of a right: what was written until there stays. */
export function deniedInScript(
  message: string,
  script: string,
): { readonly permission: string | undefined; readonly nothingWritten: boolean } | undefined {
  if (!IN_SCRIPT.test(message)) return undefined;
  const command = commandOnLine(message, script) ?? "";
  return { permission: permissionOf(message, script), nothingWritten: BEFORE_WRITES.has(command) };
}

/** Redis 7.0 names the line of the script and not its command, which stands there: one of them, where it has several. */
function commandOnLine(message: string, script: string): string | undefined {
  const line = LINE.exec(message)?.[1];
  if (line === undefined) return undefined;
  const text = script.split("\n")[Number(line) - 1] ?? "";
  const commands = new Set(Array.from(text.matchAll(/\bcall\('([A-Z]+)'/g), ([, command]) => command));
  return commands.size === 0 ? undefined : [...commands].join(" or ");
}
