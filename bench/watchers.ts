import process from "node:process";

/**
 * Many watchers in a process of their own, so that their cost is not the server's. Arguments: the address to watch,
 * how many, a bearer token. Tells its parent `{ open }` once all are established, then `{ received }` when asked.
 */
const [url = "", count = "0", token = ""] = process.argv.slice(2);
let admitted = 0;
let received = 0;

for (let index = 0; index < Number(count); index++) {
  const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } } as never);
  let established = false;
  socket.addEventListener("message", () => {
    if (established) received++;
    else {
      established = true;
      if (++admitted === Number(count)) process.send?.({ open: admitted });
    }
  });
  socket.addEventListener("close", ({ code }) => {
    console.error(`a watcher was closed with ${code}`);
    process.exit(1);
  });
}

process.on("message", () => process.send?.({ received }));
