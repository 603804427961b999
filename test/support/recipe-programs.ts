const WORDS = `
  const root = document.getElementById("root");
  const first = new URLSearchParams(location.search).get("id");
  const words = (snapshot) =>
    \`\${snapshot?.connection.status} \${snapshot?.analysis?.status} \${snapshot?.analysis?.message}\`;`;

/**
 * The page around a recipe of each framework. A test drives it by `recipe.show(id)` and `recipe.leave()`; it writes into `#root`. `here` is
 * the module of the recipe itself.
 */
export const RECIPE_PAGES: Readonly<Record<string, (here: string) => string>> = {
  Vue: (here) => `
      import { createApp, h, ref } from "vue";
      import { useAnalysis } from "${here}";
      ${WORDS}
      const id = ref(first);
      const setup = () => {
        const snapshot = useAnalysis(id);
        return () => h("p", words(snapshot.value));
      };
      const app = createApp({ setup });
      app.mount(root);
      window.recipe = { show: (next) => void (id.value = next), leave: () => app.unmount() };`,
  Svelte: (here) => `
      import { mount, unmount } from "svelte";
      import { fromStore, writable } from "svelte/store";
      import Analysis from "${here}";
      ${WORDS}
      const id = fromStore(writable(first));
      const props = { get id() { return id.current; } };
      const app = mount(Analysis, { target: root, props });
      window.recipe = { show: (next) => void (id.current = next), leave: () => unmount(app) };`,
  Solid: (here) => `
      import { createEffect, createRoot, createSignal, onCleanup } from "solid-js";
      import { createAnalysis } from "${here}";
      ${WORDS}
      const leave = createRoot((dispose) => {
        const [id, show] = createSignal(first);
        const snapshot = createAnalysis(id);
        createEffect(() => void (root.textContent = words(snapshot())));
        onCleanup(() => void (root.textContent = ""));
        window.recipe = { show };
        return dispose;
      });
      window.recipe.leave = leave;`,
  "TanStack Query": (here) => `
      import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
      import { createElement, StrictMode } from "react";
      import { createRoot } from "react-dom/client";
      import { useAnalysisQuery } from "${here}";
      ${WORDS}
      const connection = { status: "live" };
      const Analysis = ({ id }) => words({ connection, analysis: useAnalysisQuery(id).data });
      const app = createRoot(root);
      const client = new QueryClient();
      const show = (id) => {
        const analysis = createElement(StrictMode, null, createElement(Analysis, { id }));
        app.render(createElement(QueryClientProvider, { client }, analysis));
      };
      show(first);
      window.recipe = { show, leave: () => app.unmount() };`,
};

/** A program that renders the recipe on a server, and prints what that makes. */
export const RECIPE_SERVERS: Readonly<Record<string, (here: string) => string>> = {
  Vue: (here) => `
      import { createSSRApp, h } from "vue";
      import { renderToString } from "vue/server-renderer";
      import { useAnalysis } from "${here}";
      const setup = () => {
        const snapshot = useAnalysis(ID);
        return () => h("p", String(snapshot.value ?? ""));
      };
      console.log(await renderToString(createSSRApp({ setup })));`,
  Svelte: (here) => `
      import { render } from "svelte/server";
      import Analysis from "${here}";
      console.log(render(Analysis, { props: { id: ID } }).body.replaceAll(/<!--.*?-->| /g, ""));`,
  Solid: (here) => `
      import { createRoot } from "solid-js";
      import { createAnalysis } from "${here}";
      createRoot(() => console.log("<p>" + (createAnalysis(() => ID)() ?? "") + "</p>"));`,
  "TanStack Query": (here) => `
      import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
      import { createElement } from "react";
      import { renderToString } from "react-dom/server";
      import { useAnalysisQuery } from "${here}";
      const Analysis = () => createElement("p", null, String(useAnalysisQuery(ID).data ?? ""));
      const client = new QueryClient();
      console.log(renderToString(createElement(QueryClientProvider, { client }, createElement(Analysis))));`,
};
