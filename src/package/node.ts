/**
 * `telltale/node`: WebSockets for an application that embeds `telltale/core` on a server of `node:http`, which Deno has too.
 */
export { answerBy, serveSockets } from "../gateway/embedded/node-server.ts";
