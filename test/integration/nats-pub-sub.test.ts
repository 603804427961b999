import { describe } from "bun:test";
import { pubSubContract } from "../../src/testing/contracts/pub-sub-contract.ts";
import { emptyNatsLog, STREAM_IDS } from "../support/nats-under-test.ts";
import { needs } from "../support/needs.ts";
import { useNats } from "../support/use-nats.ts";

describe.skipIf(!needs("nats-server"))("on a NATS server", () => {
  const nats = useNats({ config: "max_payload: 8388608" });

  pubSubContract("NATS", () => emptyNatsLog(nats), {
    ...{ newerFormat: true, occurrences: false, entryIds: STREAM_IDS },
  });
});
