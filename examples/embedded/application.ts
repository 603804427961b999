/** An application with accounts and sessions of its own. It knows nothing of Telltale. */
import { Hono, type MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { parse } from "hono/utils/cookie";

interface User {
  readonly name: string;
  /** The videos that the user uploaded, and may watch. */
  readonly videos: readonly string[];
  readonly isWorker: boolean;
}

const VIDEO_OF_ADA = "0b0f6f5e-7d0a-4c1e-9f0a-3f6f2a1f0a01";
const USERS: readonly User[] = [
  { name: "ada", videos: [VIDEO_OF_ADA], isWorker: false },
  { name: "bob", videos: [], isWorker: false },
  { name: "worker", videos: [VIDEO_OF_ADA], isWorker: true },
];

const COOKIE = "session";
const sessions = new Map<string, User>();

export const app = new Hono();

/** An error that names a status below 500 is about the request, as is a body that is no JSON. */
app.onError((error, context) => {
  const { status = 500, issues } = error as { readonly status?: number; readonly issues?: unknown };
  if (error instanceof SyntaxError) return context.json({ error: "the body is no JSON" }, 400);
  if (status < 500) return context.json({ error: error.message, issues }, status as 400);
  console.error(error);
  return context.text("a fault of the application", 500);
});

/** A real application would ask for a password. */
app.post("/login/:name", (context) => {
  const user = USERS.find(({ name }) => name === context.req.param("name"));
  if (user === undefined) return context.text("no such user", 401);
  const session = crypto.randomUUID();
  sessions.set(session, user);
  setCookie(context, COOKIE, session, { httpOnly: true, sameSite: "Lax" });
  return context.json(user);
});

app.post("/logout", (context) => {
  sessions.delete(getCookie(context, COOKIE) ?? "");
  return context.body(null, 204);
});

/** Lets a request through if it is a worker's. */
export const workersOnly: MiddlewareHandler = async (context, next) =>
  userOf(context.req.header("Cookie") ?? null)?.isWorker ? next() : context.text("workers only", 403);

/** The user of a `Cookie` header; undefined if nobody is signed in. */
export function userOf(cookies: string | null): User | undefined {
  return sessions.get(parse(cookies ?? "", COOKIE)[COOKIE] ?? "");
}
