/** Linux shares its processors among sessions first, and heeds niceness only within one: the session gets it as well. */
const GIVE_WAY = '{ echo 19 >/proc/self/autogroup; } 2>/dev/null; exec nice -n 19 "$@"';

/** The command of a program that only uses the processors while no other program wants them. It needs a session of its own. */
export function inBackground(command: readonly string[]): readonly string[] {
  return ["/bin/sh", "-c", GIVE_WAY, "sh", ...command];
}
