import type { ComponentChildren } from "preact";
import type { Detail } from "../words/failure-details.ts";

/** One entry of a list of facts: a name and what there is to say. */
export function Fact({
  name,
  testId,
  mono = false,
  title,
  children,
}: {
  readonly name: string;
  readonly testId?: string;
  readonly mono?: boolean;
  readonly title?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={mono ? "mono" : undefined} data-testid={testId} title={title}>
        {children}
      </dd>
    </div>
  );
}

/** The details that can be said in words, as entries of a list of facts. */
export function SaidFacts({ said }: { readonly said: readonly Detail[] }) {
  return (
    <>
      {said.map(({ label, value }) => (
        <Fact key={label} name={label}>
          {value}
        </Fact>
      ))}
    </>
  );
}
