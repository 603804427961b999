import { describe, expect, test } from "bun:test";
import { runProgram } from "../../scripts/check/run-program.ts";
import { SLOPPY } from "../support/sloppy-brokers.ts";

const root = new URL("../..", import.meta.url).pathname;

describe("brokerContract", async () => {
  const suites = ["test", "./test/support/sloppy-brokers.ts", "-t", "BND-5"];
  const { output } = await runProgram([process.execPath, ...suites], root, 1, { TELLTALE_SLOPPY: "1" });
  const failed = (name: string) => output.includes(`(fail) BrokerPorts on ${name} > BND-5`);

  test("BND-5 passes a broker that keeps its dead letters while no node runs", () => {
    expect(output).toContain("(pass) BrokerPorts on a careful broker > BND-5 dead letters outlive both");
    expect(failed("a careful broker")).toBe(false);
  });

  test.each(SLOPPY)("BND-5 fails %s", (name) => {
    expect(failed(name)).toBe(true);
  });
});
