import { computed, effect, signal } from "@preact/signals";
import { analysisId, connection, over, unknown } from "../page/watched-analysis.ts";
import { fetchRefusals, type Refusals } from "./demo-backend.ts";

const LOOK_AGAIN_MS = 2_000;

/** The refused events of the analysis; undefined if none was refused, or if nobody can say. */
export const refusals = signal<Refusals | undefined>(undefined);

const connected = computed(() => connection.value.status === "live");

/** Asks, until the analysis has ended, whether events of it were refused. */
export function lookForRefusals(): () => void {
  return effect(() => {
    refusals.value = undefined;
    const id = analysisId.value;
    if (id === undefined || !(unknown.value || connected.value)) return;
    let wanted = true;
    const look = async () => {
      const answer = await fetchRefusals(id).catch(nobodyCanSay);
      if (!wanted) return;
      refusals.value = answer !== undefined && answer.count > 0 ? answer : undefined;
      if (!over.peek()) timer = setTimeout(look, LOOK_AGAIN_MS);
    };
    let timer = setTimeout(look);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  });
}

/** The gateway is away: the connection says so already. */
function nobodyCanSay(): undefined {
  return undefined;
}
