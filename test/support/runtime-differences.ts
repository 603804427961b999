import { runtimeName } from "./runtime-command.ts";

/** Everything in which a client or an operator may notice the runtime. docs/OPERATING.md says the same in words. */
interface RuntimeDifferences {
  /** The spellings of `Expect: 100-continue` that the server answers by `100 Continue`. */
  readonly continues: readonly string[];
  /** The spellings that it leaves unanswered: a client that waits for the answer gets 417 after 3 s. */
  readonly keepsWaiting: readonly string[];
  /** Status and `code` of the answer to a target that is not ASCII, which no client may send. */
  readonly targetNotAscii: string;
  /** The most memory that the gateway keeps of clients that stalled and are gone, in MiB; it is used for the next ones. */
  readonly keptMebibytes: number;
}

const DIFFERENCES: Readonly<Record<typeof runtimeName, RuntimeDifferences>> = {
  bun: {
    continues: ["100-continue"],
    keepsWaiting: ["100-Continue", "100-CONTINUE"],
    targetNotAscii: "404 not_found",
    keptMebibytes: 64,
  },
  deno: {
    continues: ["100-continue", "100-Continue", "100-CONTINUE"],
    keepsWaiting: [],
    targetNotAscii: "400 good",
    keptMebibytes: 256,
  },
};

/** The differences of the runtime of the gateways under test. */
export const runtimeDifferences = DIFFERENCES[runtimeName];
