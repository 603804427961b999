import type { Failure } from "../words/failure-details.ts";

/** The faults that a failure names, one a line. */
export function Issues({ issues }: { readonly issues: readonly string[] }) {
  if (issues.length === 0) return null;
  return (
    <ul class="issues" aria-label="What was wrong">
      {issues.map((issue, index) => (
        <li key={`${index}-${issue}`}>{issue}</li>
      ))}
    </ul>
  );
}

/** The part of a failure that only its makers can read. */
export function TechnicalFailure({
  code,
  rest,
}: Pick<Failure, "code"> & { readonly rest: string | undefined }) {
  if (code === undefined && rest === undefined) return null;
  return (
    <div class="technical">
      {code !== undefined && (
        <p>
          Code <code data-testid="error-code">{code}</code>
        </p>
      )}
      {rest !== undefined && (
        <details>
          <summary>More details</summary>
          <pre>{rest}</pre>
        </details>
      )}
    </div>
  );
}

/** The part of a result's data that cannot be said in words; open if nothing else is said. */
export function TechnicalData({
  rest,
  isAll,
}: {
  readonly rest: string | undefined;
  readonly isAll: boolean;
}) {
  if (rest === undefined) return null;
  return (
    <div class="technical">
      <details open={isAll}>
        <summary>{isAll ? "The data" : "More of the data"}</summary>
        <pre data-testid="data">{rest}</pre>
      </details>
    </div>
  );
}
