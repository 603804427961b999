import type { ClusterTarget, RedisTarget } from "../../../adapters/redis/redis-connection.ts";
import { Analysis, type AnalysisOptions, TelltalePublisher } from "../../../client/publisher.ts";
import { toldToRun } from "../../../client/told-to-run.ts";
import type { AnalysisId } from "../../../domain/channel.ts";
import { CommandFailed, readConfig } from "../command-failed.ts";
import { EXIT } from "../exit-codes.ts";
import { gatewayAccess } from "../gateway-access.ts";

/** An analysis whose events have a way out. */
export interface OpenedAnalysis {
  readonly analysis: Analysis;
  /** The program tells of the analysis by itself: nothing but the end, signs of life and what somebody asks is left to do. */
  readonly withdraw: () => void;
  /** Ends the connection, once the analysis is closed. */
  readonly disconnect: () => void;
}

/**
 * Opens an analysis at the gateway, or at the Redis, the sentinels or the Cluster that TELLTALE_URL names. Rejects with `CommandFailed` and code 78 if there is no
 * token, or if the environment names neither.
 */
export async function openAnalysis(
  url: string | undefined,
  id: AnalysisId,
  options: AnalysisOptions,
): Promise<OpenedAnalysis> {
  const { TELLTALE_URL = "" } = process.env;
  if (url === undefined && /^rediss?(\+|:)/i.test(TELLTALE_URL)) return atRedis(TELLTALE_URL, id, options);
  const rights = { user: "telltale-run", analyses: [id], scopes: ["analysis:publish"] as const };
  const publisher = new TelltalePublisher(await gatewayAccess(url, rights));
  const analysis = publisher.analysis(id, options);
  return { analysis, withdraw: () => analysis.withdraw(), disconnect: () => {} };
}

async function atRedis(url: string, id: AnalysisId, options: AnalysisOptions): Promise<OpenedAnalysis> {
  const target = redisTarget(url);
  const { redisWay } = await import("./redis-way.ts");
  const command = toldToRun(id, url);
  const attemptId = options.attemptId ?? command?.attemptId;
  const way = redisWay({ target, analysisId: id, attemptId });
  const named = attemptId === undefined ? options : { ...options, attemptId };
  const analysis = new Analysis(id, way, named, { onEndSettled: () => command?.ended() });
  const withdraw = () => {
    analysis.withdraw();
    way.withdraw();
  };
  return { analysis, withdraw, disconnect: () => way.close() };
}

function redisTarget(url: string): RedisTarget | ClusterTarget {
  const tls = Object.entries(process.env).filter(([name]) =>
    /^REDIS_(CA|CERT|KEY|PASSWORD|SENTINEL)/.test(name),
  );
  try {
    const { broker } = readConfig({ ...Object.fromEntries(tls), BROKER: "redis", REDIS_URL: url });
    if (broker.kind === "redis") return broker;
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new CommandFailed(error.exitCode, error.message.replaceAll("REDIS_URL", "TELLTALE_URL"));
  }
  throw new CommandFailed(
    EXIT.configuration,
    "TELLTALE_URL: must be the address of a Redis, or of a gateway",
  );
}
