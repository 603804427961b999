import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { needs } from "../support/needs.ts";
import { runtimeCommand } from "../support/runtime-command.ts";

type Shell = "bash" | "zsh" | "fish";

/** Lines as typed, and all that the shell offers for the last word. */
const OFFERED: readonly (readonly [typed: string, offers: readonly string[]])[] = [
  ["ch", ["check"]],
  ["deadletters re", ["republish"]],
  ["deadletters list --re", ["--reason"]],
  ["token --scope no", ["notice:publish"]],
  ["token --user alice --exp", ["--expires"]],
  ["deadletters list --channel check --js", ["--json"]],
  ["run --pat", ["--pattern"]],
  ["completion b", ["bash"]],
  ["help set", ["settings"]],
];

/** Shows what each shell offers, by the shell itself. In zsh a prompt would be needed, so the script's own answers are shown. */
const ASK: Readonly<Record<Shell, string>> = {
  bash: `source "$1"; COMP_WORDS=(telltale $2); [ "\${2% }" = "$2" ] || COMP_WORDS+=("")
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _telltale telltale; printf '%s\\n' "\${COMPREPLY[@]}"`,
  zsh: `compdef() { defined=$1; }
_describe() { local one; for one in "\${(@P)2}"; do print -r -- "\${\${\${one//\\\\:/@}%%:*}//@/:}"; done; }
compadd() { shift; print -rl -- "$@"; }
source "$1"; [ "$defined" = _telltale ] || exit 1
words=(telltale \${=2}); [ "\${2% }" = "$2" ] || words+=("")
CURRENT=$#words; prefix=$words[-1]; words[-1]=""
_telltale | while read -r one; do [[ $one == $prefix* ]] && print -r -- $one; done; true`,
  fish: `source $argv[1]; complete -C "telltale $argv[2]" | string replace -r '\\t.*' ''; true`,
};

describe.each(["bash", "zsh", "fish"] as const)("telltale completion %s", (shell) => {
  const file = join(process.env.TMPDIR ?? "/tmp", `telltale-completion-${process.pid}.${shell}`);
  const isThere = shell === "bash" || needs(shell);

  beforeAll(async () => {
    const written = await run([...runtimeCommand(), "completion", shell]);
    expect([written.code, written.err]).toEqual([0, ""]);
    await Bun.write(file, written.out);
    return () => Bun.file(file).delete();
  });

  test.skipIf(!isThere)("prints a script that the shell can read", async () => {
    expect(await run([shell, "-n", file])).toEqual({ out: "", err: "", code: 0 });
  });

  test.skipIf(!isThere).each(OFFERED)("offers after `%s` %j", async (typed, offers) => {
    const command =
      shell === "fish" ? ["fish", "--no-config", "-c", ASK.fish] : [shell, "-c", ASK[shell], shell];
    const { out, err, code } = await run([...command, file, typed]);
    expect([err, code]).toEqual(["", 0]);
    expect(
      out
        .split("\n")
        .filter((line) => line !== "")
        .sort(),
    ).toEqual([...offers]);
  });

  test.skipIf(!isThere)("offers every word with nothing typed", async () => {
    const command =
      shell === "fish" ? ["fish", "--no-config", "-c", ASK.fish] : [shell, "-c", ASK[shell], shell];
    const { out } = await run([...command, file, " "]);
    for (const word of ["serve", "check", "token", "deadletters", "help"])
      expect(out.split("\n")).toContain(word);
  });
});

async function run(command: readonly string[]) {
  const child = Bun.spawn([...command], {
    env: { PATH: process.env.PATH ?? "", TERM: "dumb" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}
