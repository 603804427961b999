import type { AccessGrant, ViewerList, WatchVerdict } from "../domain/access-grant.ts";
import type { AnalysisId } from "../domain/channel.ts";

/**
 * Decides who may watch and who may publish. Every way in asks it: WebSockets, event streams, reads, publishers. The
 * methods that are asynchronous may ask another service; they reject with `AccessUndecided` if that is away, and with
 * nothing else. A publisher over HTTP needs the scope of its route in its token before the policy is asked.
 */
export interface AccessPolicy {
  /** Whether the holder of a token may watch an analysis, and so read it. Asked when a watch or a read begins. */
  mayWatch(access: WatchAccess): Promise<WatchVerdict>;
  /**
   * Whether a watch or a read that was allowed may go on, under other declared viewers or with a newer token of the same
   * user. Answers at once and never throws: it is asked for every watcher before the next event is sent. A policy that
   * asks another service answers from memory.
   */
  mayGoOn(access: WatchAccess): WatchVerdict;
  /** Whether the holder of a token may publish events of an analysis and declare its viewers. */
  mayPublish(grant: AccessGrant, analysisId: AnalysisId): Promise<PublishVerdict>;
  /** Whether the holder of a token may publish notices. */
  mayNotify(grant: AccessGrant): Promise<PublishVerdict>;
}

export interface WatchAccess {
  readonly analysisId: AnalysisId;
  readonly grant: AccessGrant;
  /** The viewers as last declared; undefined if nobody declared any. */
  readonly viewers: ViewerList | undefined;
}

/** `scope_missing`: the token lacks the scope. `not_allowed`: it is not for this analysis. */
export type PublishVerdict = "allowed" | "scope_missing" | "not_allowed";

/** The policy of the wire contract: the token's claims first, then the declared viewers, then the default. */
export class ClaimsAndViewers implements AccessPolicy {
  readonly #watchDefault: "allow" | "deny";

  /** `watchDefault` decides if neither the token nor declared viewers do. */
  constructor(watchDefault: "allow" | "deny") {
    this.#watchDefault = watchDefault;
  }

  async mayWatch(access: WatchAccess): Promise<WatchVerdict> {
    return this.mayGoOn(access);
  }

  mayGoOn({ analysisId, grant, viewers }: WatchAccess): WatchVerdict {
    return grant.judge(analysisId, viewers, this.#watchDefault);
  }

  async mayPublish(grant: AccessGrant, analysisId: AnalysisId): Promise<PublishVerdict> {
    if (!grant.hasScope("analysis:publish")) return "scope_missing";
    return grant.mayPublishTo(analysisId) ? "allowed" : "not_allowed";
  }

  async mayNotify(grant: AccessGrant): Promise<PublishVerdict> {
    return grant.hasScope("notice:publish") ? "allowed" : "scope_missing";
  }
}
