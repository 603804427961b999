export interface AnalysisOptions {
  /** The `task_id` of its events; the id of the analysis if left out. */
  readonly taskId?: string;
  /** Names this run of the worker, 1 to 64 characters: events of an earlier run are refused from its first event on. */
  readonly attemptId?: string;
  /** The stage until one is reported [initializing]. */
  readonly stage?: string;
  /** Asked before each beat, for work that another process does: while it answers false the gateway hears of nobody. */
  readonly isAlive?: () => boolean;
  /**
   * For development: `report`, `result`, `publish` and `complete` throw `EventRefused` if a gateway would refuse the event. The stages
   * are those of the environment's STAGES, as for the gateway [whether the environment's TELLTALE_CHECK is `1`, `true`, `on` or `yes`].
   */
  readonly check?: boolean;
  /** Takes one line for whoever runs the worker: what was refused or dropped, and that the gateway is away [console.warn]. */
  readonly log?: (line: string) => void;
}
