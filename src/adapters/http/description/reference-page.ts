import type { Schema } from "./components.ts";

/** A page for people, made of a description for programs. It loads and runs nothing. */
export function referencePage(document: Schema): string {
  const { title, version, description } = document.info as {
    title: string;
    version: string;
    description: string;
  };
  const kind = "openapi" in document ? "OpenAPI" : "AsyncAPI";
  const sections = "openapi" in document ? pathSections(document) : channelSections(document);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}: ${kind}</title><style>${REFERENCE_STYLE}</style></head>
<body><header><h1>${escaped(title)} <small>${escaped(version)}, ${kind}</small></h1>${paragraphs(description)}
<p><a href="openapi">HTTP</a> · <a href="asyncapi">WebSocket</a> · <a href="${kind.toLowerCase()}.json">this page for programs</a></p></header>
<main>${sections.join("\n")}</main>
<footer><h2>Schemas</h2>${componentsOf(document)}</footer></body></html>
`;
}

export const REFERENCE_STYLE = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow-x:auto;padding:.75rem;border:1px solid #8886;border-radius:6px}
section{border-top:1px solid #8886;padding:.5rem 0}table{border-collapse:collapse;width:100%}td{vertical-align:top;padding:.2rem .8rem .2rem 0}
summary{cursor:pointer}small{font-weight:normal;opacity:.75}h2{overflow-wrap:anywhere}`;

function pathSections(document: Schema): string[] {
  return Object.entries(document.paths as Record<string, Record<string, Described>>).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => {
        const { summary, description = "", parameters = [], requestBody, responses = {} } = operation;
        const answers = Object.entries(responses).map(([status, one]) => [
          status,
          `${one.description} ${typesOf(one)}`,
        ]);
        return section(operation.operationId, `${method.toUpperCase()} ${path}`, [
          paragraphs(`${summary}\n${description}`),
          table(parameters.map(({ name, in: place, description: says }) => [`${name} (${place})`, says])),
          requestBody === undefined ? "" : details("Body", requestBody.content["application/json"]?.schema),
          table(answers),
        ]);
      }),
  );
}

function channelSections(document: Schema): string[] {
  return Object.entries(document.channels as Record<string, Channel>).map(([name, channel]) =>
    section(name, channel.address, [
      paragraphs(channel.summary),
      table(
        Object.entries(channel.bindings?.ws.query.properties ?? {}).map(
          ([parameter, { description = "" }]) => [`${parameter} (query)`, description],
        ),
      ),
      `<p>${Object.keys(channel.messages)
        .map((one) => `<a href="#${escaped(one)}"><code>${escaped(one)}</code></a>`)
        .join(", ")}</p>`,
    ]),
  );
}

function componentsOf(document: Schema): string {
  const { schemas, messages } = document.components as { schemas?: Schema; messages?: Schema };
  const named = Object.entries(schemas ?? messages ?? {});
  return named.map(([name, one]) => details(name, one, name)).join("\n");
}

function section(id: string, title: string, parts: readonly string[]): string {
  return `<section id="${escaped(id)}"><h2><code>${escaped(title)}</code></h2>${parts.join("")}</section>`;
}

function details(title: string, value: unknown, id?: string): string {
  const named = id === undefined ? "" : ` id="${escaped(id)}"`;
  return `<details${named}><summary>${escaped(title)}</summary><pre>${escaped(JSON.stringify(value, null, 2))}</pre></details>`;
}

function table(rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const lines = rows.map(
    ([name = "", says = ""]) => `<tr><td><code>${escaped(name)}</code></td><td>${inline(says)}</td></tr>`,
  );
  return `<table>${lines.join("")}</table>`;
}

function typesOf({ content = {} }: { readonly content?: Schema }): string {
  return Object.keys(content)
    .map((type) => `\`${type}\``)
    .join(" ");
}

/** As much of CommonMark as the descriptions have: paragraphs of one line, lists and code. */
function paragraphs(text: string): string {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (line.startsWith("- ") ? `<li>${inline(line.slice(2))}</li>` : `<p>${inline(line)}</p>`))
    .join("")
    .replaceAll(/(?:<li>.*?<\/li>)+/g, "<ul>$&</ul>");
}

const inline = (text: string) => escaped(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>");

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string) =>
  text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

interface Described {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly description: string;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: unknown }>> };
  readonly responses?: Readonly<Record<string, { readonly description: string; readonly content?: Schema }>>;
}

interface Channel {
  readonly address: string;
  readonly summary: string;
  readonly messages: Schema;
  readonly bindings?: {
    readonly ws: {
      readonly query: { readonly properties: Readonly<Record<string, { readonly description?: string }>> };
    };
  };
}
