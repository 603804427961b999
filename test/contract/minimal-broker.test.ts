/** The example that docs/WRITING-AN-ADAPTER.md shows holds the suites by the test that it shows beside it. */
import "../../examples/minimal-broker/src/broker.test.ts";
