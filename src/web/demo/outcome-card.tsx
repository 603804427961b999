import type { ComponentChildren } from "preact";
import { percent } from "../words/percent.ts";
import { Bar, type Tone } from "./progress.tsx";

interface Props {
  readonly tone: Tone;
  /** The words above the title. */
  readonly label: string;
  readonly title: ComponentChildren;
  /** The figure beside the title: how much is done, unless `figure` says another. */
  readonly done: number;
  readonly figure?: { readonly share: number; readonly unit: string; readonly digits: number };
  readonly message?: string | null | undefined;
  /** For the title's part. */
  readonly testId?: string;
  readonly verdict?: string;
  readonly children?: ComponentChildren;
}

/** The analysis at a glance: a title, how far it has come, a bar, and what there is to say besides. */
export function OutcomeCard({
  tone,
  label,
  title,
  done,
  message,
  testId,
  verdict,
  children,
  ...rest
}: Props) {
  const { share, unit, digits } = rest.figure ?? { share: done, unit: "done", digits: 0 };
  return (
    <div class={`card overview overview--${tone}`}>
      <div class="overview__head">
        <div data-testid={testId} data-verdict={verdict}>
          <p class="label">{label}</p>
          <h1 class={tone === "accent" ? "overview__title" : "overview__title overview__title--verdict"}>
            {title}
          </h1>
        </div>
        <p class="overview__figure">
          {percent(share, digits)}
          <span class="overview__unit">{unit}</span>
        </p>
      </div>
      <Bar progress={done} tone={tone} />
      {message === undefined ? null : (
        <p class="overview__message" data-testid="message">
          {message}
        </p>
      )}
      {children}
    </div>
  );
}
