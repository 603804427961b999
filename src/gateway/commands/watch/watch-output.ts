import type { ConnectionStatus } from "../../../client/sdk.ts";
import type { AnalysisState } from "../../../domain/analysis-state.ts";
import { printableJson } from "../printable.ts";
import { isTrouble, progressLine, type ShownProgress } from "./progress-line.ts";

/** Where a watch writes. `out` is standard output, which gets its line breaks, and `err` takes lines for standard error. */
export interface WatchOutput {
  /** An event as it came, before it is folded. */
  event(text: string): void;
  /** The analysis or the connection is another than before. */
  show(shown: ShownProgress): void;
  /** Nothing more comes. */
  end(shown: ShownProgress): void;
}

type Write = (text: string) => void;

/** One JSON object a line, with the values that the gateway sent, and nothing else. */
export function jsonOutput(out: Write, err: Write): WatchOutput {
  const trouble = troubleTeller(err);
  return {
    event: (text) => out(`${printableJson(text)}\n`),
    show: ({ connection }) => trouble(connection),
    end: () => {},
  };
}

/** One line that is drawn again and again. `columns` answers the width of the terminal now. */
export function terminalOutput(write: Write, columns: () => number, color: boolean): WatchOutput {
  let last = "";
  const draw = (shown: ShownProgress) => {
    const line = progressLine(shown, { columns: columns(), color, bar: true });
    if (line !== last) write(`\r${line}\u001b[K`);
    last = line;
  };
  return {
    event: () => {},
    show: draw,
    end(shown) {
      draw(shown);
      write("\n");
    },
  };
}

/** Progress that was written is not written again below this difference. */
const STEP = 0.1;

/** A line for each new stage and each tenth of the way, without escape codes: for logs. */
export function lineOutput(out: Write, err: Write): WatchOutput {
  const trouble = troubleTeller(err);
  let last: AnalysisState | undefined;
  const write = (shown: ShownProgress) => {
    out(`${progressLine(shown, { columns: undefined, color: false, bar: false }).trimStart()}\n`);
    last = shown.state;
  };
  return {
    event: () => {},
    show(shown) {
      trouble(shown.connection);
      // Before the gateway was asked, nobody knows.
      if (shown.state.status === "unknown" && shown.connection.status !== "live") return;
      if (isNews(shown.state, last)) write(shown);
    },
    end(shown) {
      if (last === undefined || last.status !== shown.state.status) write(shown);
    },
  };
}

function isNews(state: AnalysisState, last: AnalysisState | undefined): boolean {
  if (last === undefined || state.status !== last.status || state.current_stage !== last.current_stage)
    return true;
  const step = (state.progress ?? 0) - (last.progress ?? 0);
  return step >= STEP || step < 0;
}

/** Says once that the connection is gone, and once that it is back. */
function troubleTeller(err: Write): (connection: ConnectionStatus) => void {
  let isGone = false;
  return (connection) => {
    if (isTrouble(connection) && !isGone) {
      isGone = true;
      const reason = connection.reason === "" ? "" : `, ${connection.reason}`;
      err(`no connection to the gateway (${connection.code}${reason}); trying again`);
    } else if (connection.status === "live" && isGone) {
      isGone = false;
      err("connected again");
    }
  };
}
