import type { OccurrenceKey } from "../../src/application/ports/deduplication-key.ts";
import type {
  AppendOutcome,
  AppendRequest,
  ChannelSnapshot,
  PublishedEvent,
  PubSubPort,
} from "../../src/application/ports/pub-sub-port.ts";
import type { EncodedEvent } from "../../src/domain/analysis-event.ts";
import type { AnalysisChannel } from "../../src/domain/channel.ts";
import { CollectingSubscriber } from "../../src/testing/collecting-subscriber.ts";
import {
  cancelled,
  completed,
  dataResult,
  failed,
  fault,
  result,
  status,
} from "../../src/testing/encoded-events.ts";
import { occurrenceKey } from "../../src/testing/occurrence-key.ts";
import type { Seeded } from "../unit/domain/seeded.ts";

const STEPS = 40;

/**
 * A shared vector without an expected end: random requests from a seed. Answers everything that a broker tells of them,
 * without its random epochs, for comparing two brokers.
 */
export async function seededCourse(broker: PubSubPort, channel: AnalysisChannel, seeded: Seeded) {
  const heard = new CollectingSubscriber();
  const subscription = await broker.subscribe(channel, heard);
  const outcomes: unknown[] = [];
  const pages: unknown[] = [];
  let epoch = "";
  let newest = 0;
  for (let step = 0; step < STEPS; step++) {
    // Some in one turn of the event loop, hence in one call.
    const requests = Array.from({ length: 1 + seeded.below(4) }, () => someRequest(seeded, channel, step));
    for (const outcome of await Promise.all(requests.map((request) => broker.append(request)))) {
      if (outcome.type === "stored") {
        epoch = outcome.epoch;
        newest = outcome.firstOffset + outcome.count - 1;
      }
      outcomes.push(withoutEpoch(outcome));
    }
    const asked = seeded.below(newest + 3);
    const page = await broker.history(
      channel,
      seeded.below(5) === 0 ? undefined : { epoch: seeded.below(6) === 0 ? "other" : epoch, offset: asked },
      1 + seeded.below(20),
    );
    pages.push([asked, page.resumed, page.position.offset, page.events.map(told)]);
  }
  await heard.until(() => newest === 0 || heard.offsets.at(-1) === newest);
  await subscription.unsubscribe();
  return {
    outcomes,
    pages,
    heard: heard.events.map(told),
    snapshot: snapshotTold(await broker.snapshot(channel)),
  };
}

function someRequest(seeded: Seeded, channel: AnalysisChannel, step: number): AppendRequest {
  const events = Array.from({ length: 1 + seeded.below(3) }, () => someEvent(seeded));
  const request = { channel, events };
  const name = `${seeded.below(60)}`;
  const remembered = { scope: "channel", windowMs: 60_000, rememberMs: 60_000 } as const;
  switch (seeded.below(8)) {
    case 0:
      return { ...request, deduplicate: { by: "key", name, ...remembered } };
    case 2:
    case 3:
      return { channel, events: events.slice(0, 1), deduplicate: someContent(seeded) };
    case 1:
      // Mostly rising; compared as text, most of them would fall.
      return {
        ...request,
        deduplicate: { by: "entry", id: `${step + seeded.below(3)}-${seeded.below(12)}` },
      };
    default:
      return request;
  }
}

/** Few contents, heard by few nodes in few stretches, so that every way to know one again comes up. */
function someContent(seeded: Seeded): OccurrenceKey {
  const listener = seeded.pick(["x", "y"]);
  const stretch = seeded.pick(["a.1.m", "a.2.n", "a.12.o", "b.1.p", `~${listener}.1`, `~${listener}.2`]);
  const before = seeded.pick(["same", "other", "unknown"] as const);
  const number = 1 + seeded.below(4);
  // Nothing hangs on the milliseconds that a real broker takes.
  const reachMs = seeded.pick([60_000, 3_600_000]);
  return occurrenceKey(`content-${seeded.below(4)}`, { listener, stretch, before, number }, { reachMs });
}

function someEvent(seeded: Seeded): EncodedEvent {
  const attemptId = seeded.pick([undefined, undefined, "a", "b", "c", "d"]);
  const options = {
    note: `${seeded.below(1_000)}`,
    timestamp: `2026-11-24T03:00:0${seeded.below(10)}Z`,
    ...(attemptId === undefined ? {} : { attemptId }),
  };
  const stage = seeded.pick(["initializing", "uploading", "model_inference"]);
  const kind = seeded.below(14);
  if (kind > 11) return kind === 12 ? cancelled(options) : dataResult(options);
  if (kind < 6) return status({ ...options, stage });
  if (kind < 8) return completed(options);
  if (kind < 9) return failed(options);
  return kind < 11 ? result(options) : fault(options);
}

function told(event: PublishedEvent): unknown {
  return [event.position.offset, event.kind, event.reopens, event.text.replace(event.position.epoch, "")];
}

function withoutEpoch(outcome: AppendOutcome): unknown {
  return outcome.type === "refused" ? outcome : [outcome.type, outcome.firstOffset, outcome.count];
}

function snapshotTold(snapshot: ChannelSnapshot): unknown {
  return {
    offset: snapshot.position.offset,
    lastStatus: snapshot.lastStatus && told(snapshot.lastStatus),
    currentTerminal: snapshot.currentTerminal && told(snapshot.currentTerminal),
    attemptId: snapshot.attemptId,
    stages: snapshot.stages,
    spans: snapshot.spans.map(({ firstOffset }) => firstOffset),
    heard: snapshot.heardAt !== undefined,
  };
}
