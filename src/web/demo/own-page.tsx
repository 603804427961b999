import { useSignal } from "@preact/signals";
import { defineTelltaleProgress } from "../element/telltale-progress.ts";
import { analysisId } from "../page/watched-analysis.ts";
import { ChevronIcon } from "./icons.tsx";
import { gatewayUrl, visitorToken } from "./page-state.ts";

defineTelltaleProgress();

declare module "preact" {
  namespace JSX {
    interface IntrinsicElements {
      "telltale-progress": {
        readonly src: string;
        readonly "analysis-id": string;
        readonly token: () => Promise<string>;
      };
    }
  }
}

/** The same analysis by the element that any page can use, over the connection that this page has. */
export function OwnPage() {
  const isOpen = useSignal(false);
  const id = analysisId.value;
  if (id === undefined) return null;
  return (
    <details
      class="card events"
      data-testid="own-page"
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open;
      }}
    >
      <summary class="events__summary">
        <ChevronIcon />
        <span class="card__title">On a page of your own</span>
      </summary>
      {isOpen.value && (
        <div class="own">
          <telltale-progress src={gatewayUrl()} analysis-id={id} token={visitorToken} />
          <pre class="own__code">{markupFor(id)}</pre>
          <p class="own__words">
            The token comes from your backend, and <code>ALLOWED_ORIGINS</code> names the origin of your page.
          </p>
        </div>
      )}
    </details>
  );
}

function markupFor(id: string): string {
  return `<script type="module" src="${gatewayUrl()}client.js"></script>
<telltale-progress
  src="${gatewayUrl()}"
  analysis-id="${id}"
  token-endpoint="/your/token"
></telltale-progress>`;
}
