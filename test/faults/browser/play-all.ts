import type { FaultStage } from "./fault-stage.ts";
import { type PlayedSchedule, play } from "./play.ts";
import type { Schedule } from "./schedule.ts";

/** Plays them so many at a time, and answers each when it has ended. */
export async function* playAll(
  stage: FaultStage,
  schedules: readonly Schedule[],
  atOnce: number,
): AsyncGenerator<PlayedSchedule> {
  const waiting = [...schedules];
  const playing = new Map<Schedule, Promise<PlayedSchedule>>();
  while (waiting.length + playing.size > 0) {
    for (const schedule of waiting.splice(0, atOnce - playing.size))
      playing.set(schedule, play(stage, schedule));
    const played = await Promise.race(playing.values());
    playing.delete(played.schedule);
    yield played;
  }
}
