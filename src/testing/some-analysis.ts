import { type AnalysisChannel, analysisChannel, parseAnalysisId } from "../domain/channel.ts";

/** The channel of an analysis that no other test uses. */
export function someAnalysis(): AnalysisChannel {
  const id = parseAnalysisId(crypto.randomUUID());
  if (id === undefined) throw new Error("a random UUID is one");
  return analysisChannel(id);
}
