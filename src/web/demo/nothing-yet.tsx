import { closeCodeOf } from "../../domain/close-code.ts";
import { connection, trouble } from "../page/watched-analysis.ts";
import { TROUBLE_WORDS } from "../words/gateway-trouble.ts";
import { Bar } from "./progress.tsx";
import { refusals } from "./refusals.ts";

/** Before anything is known of the analysis. */
export function Waiting() {
  if (trouble.value !== undefined) {
    const { title, toDo } = TROUBLE_WORDS[trouble.value];
    return (
      <div class="card overview" data-testid="unreachable">
        <Heading label={trouble.value === "unreachable" ? "No connection" : "No news"}>{title}</Heading>
        <p class="overview__message">Nothing is known of this analysis yet. {toDo}</p>
      </div>
    );
  }
  return (
    <div class="card overview">
      <Heading label="One moment">
        {connection.value.status === "live" ? "Waiting for the worker" : "Connecting to the gateway"}
      </Heading>
      <Bar progress={0} tone="accent" />
    </div>
  );
}

export function Unknown() {
  const refused = refusals.value;
  if (refused !== undefined) {
    const { count, reason } = refused;
    return (
      <div class="card overview overview--bad" data-testid="all-refused">
        <Heading label="Nothing to show">
          {count === 1
            ? "Its one event was refused"
            : `Its ${count.toLocaleString("en")} events were refused`}
        </Heading>
        <p class="overview__message">
          The worker is heard, but what it sends breaks the rules of an event, so nobody can be shown it. The
          gateway said of the last one:
        </p>
        <p class="overview__quote" data-testid="refusal-reason">
          {reason}
        </p>
        <p class="overview__message">
          Mend the worker; the page shows the first event that is good. What was published over Redis is kept
          as dead letters.
        </p>
      </div>
    );
  }
  return (
    <div class="card overview" data-testid="unknown">
      <Heading label="Nothing is known">The gateway has not heard of this analysis</Heading>
      <p class="overview__message">
        Either its worker has not said anything yet, or the gateway has forgotten it: with the in-memory
        broker, everything is gone when the gateway restarts. The page keeps listening; you can also start
        another.
      </p>
    </div>
  );
}

export function Refused({ code, reason }: { code: number; reason: string }) {
  return (
    <div class="card overview" data-testid="refused">
      <Heading label={`Refused, ${code}`}>The gateway does not show this analysis</Heading>
      <p class="overview__message">
        It says: {closeCodeOf(code)?.meaning ?? reason}. Check the link, or start an analysis of your own.
      </p>
    </div>
  );
}

function Heading({ label, children }: { label: string; children: string }) {
  return (
    <div>
      <p class="label">{label}</p>
      <h1 class="overview__title" data-testid="stage">
        {children}
      </h1>
    </div>
  );
}
