import type { IncomingMessage, ServerResponse } from "node:http";
import { CUT_AFTER_SECONDS, type ListenOptions, LONGEST_ANSWER_SECONDS, NO_HOST } from "./listening.ts";

type App = ListenOptions["app"];

/** As many bytes are handed to the socket at once, so that its idle time begins again while a slow client reads. */
const PIECE_BYTES = 64 * 1024;
/** As on Bun; Node would drop the ones beyond its own limit and say nothing. */
export const MOST_HEADERS = 250;
/** Methods that the Fetch standard has no request for. */
const NO_REQUEST = ["CONNECT", "TRACE", "TRACK"];

/** Answers one request of `node:http` by the app. Never rejects. */
export async function answer(app: App, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { socket } = incoming;
  const end = () => socket.destroy();
  socket.setTimeout(LONGEST_ANSWER_SECONDS * 1000, end);
  const gone = new AbortController();
  outgoing.once("close", () => {
    socket.off("timeout", end);
    if (!outgoing.writableFinished) gone.abort();
  });
  const request = requestOf(incoming, gone);
  if (request instanceof Response) return writeOut(request, outgoing, gone.signal);
  const cut = () => void socket.setTimeout(CUT_AFTER_SECONDS * 1000);
  try {
    await writeOut(await app.fetch(request, { cut }), outgoing, gone.signal);
  } catch (error) {
    // The app answers its own faults. This one struck while the answer was on its way, so only the line can tell.
    outgoing.destroy(error instanceof Error ? error : undefined);
  }
}

/** The header of a request, with a whole URL; or the answer to a request that makes no sense. */
export function headOf(incoming: IncomingMessage): { url: URL; headers: Headers } | Response {
  const { url: target = "", rawHeaders, method = "" } = incoming;
  if (NO_REQUEST.includes(method))
    return new Response(null, { status: 405, headers: { Connection: "close" } });
  if (rawHeaders.length / 2 > MOST_HEADERS)
    return new Response(null, { status: 431, headers: { Connection: "close" } });
  // The app judges the Host header. A host that is none would spoil the URL, and nobody asks the URL for its host.
  const url = target.startsWith("/") ? URL.parse(NO_HOST + target) : URL.parse(target);
  if (url === null) return new Response(null, { status: 400, headers: { Connection: "close" } });
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    headers.append(rawHeaders[at] as string, rawHeaders[at + 1] as string);
  return { url, headers };
}

function requestOf(incoming: IncomingMessage, gone: AbortController): Request | Response {
  const head = headOf(incoming);
  if (head instanceof Response) return head;
  const { url, headers } = head;
  // The server has answered every spelling of it by `100 Continue`.
  if (headers.has("Expect")) headers.set("Expect", headers.get("Expect")?.toLowerCase() ?? "");
  const { method = "GET" } = incoming;
  const bodiless = method === "GET" || method === "HEAD";
  const body = bodiless ? {} : { body: bodyOf(incoming, gone), duplex: "half" };
  return new Request(url, { method, headers, signal: gone.signal, ...body });
}

/** The body as it comes; nothing is taken from the socket before somebody reads. */
function bodyOf(incoming: IncomingMessage, gone: AbortController): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        incoming.pause();
        incoming.on("data", (bytes: Uint8Array) => {
          incoming.pause();
          controller.enqueue(new Uint8Array(bytes));
        });
        incoming.once("end", () => controller.close());
        const broken = (error: unknown) => {
          if (incoming.readableEnded) return;
          // The reader asks the signal why the body broke off.
          gone.abort();
          controller.error(error);
        };
        incoming.once("error", broken);
        incoming.once("close", () => broken(new Error("the client went away")));
      },
      pull: () => void incoming.resume(),
      cancel: () => void incoming.resume(),
    },
    { highWaterMark: 0 },
  );
}

/** Writes the answer no faster than the client takes it. Ends the body when the client goes. */
async function writeOut(response: Response, outgoing: ServerResponse, gone: AbortSignal): Promise<void> {
  const headers: string[] = [];
  for (const [name, value] of response.headers) headers.push(name, value);
  outgoing.writeHead(response.status, headers);
  const { body } = response;
  if (body === null || outgoing.req.method === "HEAD") {
    await body?.cancel();
    outgoing.end();
    return;
  }
  const reader = body.getReader();
  const leave = () => void reader.cancel(gone.reason).catch(String);
  gone.addEventListener("abort", leave);
  if (gone.aborted) leave();
  let reading = reader.read();
  let next = await reading;
  while (!next.done && !gone.aborted) {
    const { value } = next;
    reading = reader.read();
    const following = await atOnce(reading);
    // A body of one piece goes out with its length.
    if (following?.done === true) {
      outgoing.end(value);
      break;
    }
    await writePieces(value, outgoing, gone);
    next = following ?? (await reading);
  }
  gone.removeEventListener("abort", leave);
  outgoing.end();
}

async function writePieces(bytes: Uint8Array, outgoing: ServerResponse, gone: AbortSignal): Promise<void> {
  for (let at = 0; at < bytes.length && !gone.aborted; at += PIECE_BYTES)
    if (!outgoing.write(bytes.subarray(at, at + PIECE_BYTES))) await drained(outgoing);
}

/** Resolves when the socket took what waits, or is closed. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    };
    outgoing.once("drain", done);
    outgoing.once("close", done);
    if (outgoing.closed) done();
  });
}

/** The value of the promise if it is there now, or after a few microtasks. */
async function atOnce<Value>(promise: Promise<Value>): Promise<Value | undefined> {
  return Promise.race([promise, Promise.resolve().then(() => Promise.resolve(undefined))]);
}
