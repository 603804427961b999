import { describe } from "bun:test";
import { deadLetterContract } from "../../src/testing/testing.ts";
import { emptyNatsDeadLetters } from "../support/nats-under-test.ts";
import { needs } from "../support/needs.ts";
import { useNats } from "../support/use-nats.ts";

describe.skipIf(!needs("nats-server"))("the dead letters on NATS", () => {
  const nats = useNats();

  deadLetterContract("NATS", () => emptyNatsDeadLetters(nats));
});
