import { createTelltale } from "telltale/core";
import { app, userOf, workersOnly } from "./application.ts";

const telltale = await createTelltale({
  path: "/telltale",
  broker: process.env.REDIS_URL ?? "memory",
  tokens: (request) => {
    const user = userOf(request.headers.get("Cookie"));
    return user && { userId: user.name, analyses: user.videos, mayPublish: user.isWorker };
  },
});
app.all("/telltale/*", (context) => telltale.fetch(context.req.raw, context.env));
app.post("/videos/:id/report", workersOnly, async (context) =>
  context.json(await telltale.publish(context.req.param("id"), await context.req.json())),
);

export { app, telltale };
