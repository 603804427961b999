import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { answerBy, serveSockets } from "telltale/node";
import { app, telltale } from "./server.ts";

const server = createServer(answerBy(app));
serveSockets(server, telltale);
server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`The application answers at http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on("SIGTERM", async () => {
  await telltale.drain();
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
