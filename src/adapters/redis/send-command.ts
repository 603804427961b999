import type { Redis } from "ioredis";
import type { RedisLink } from "./redis-link.ts";

/** Sends one command, or a script of its own, over a link. A failure is translated for the port's caller. */
export async function sendCommand<Answer>(
  link: RedisLink,
  translate: (error: unknown) => unknown,
  command: (redis: Redis) => Promise<Answer>,
): Promise<Answer> {
  if (link.starting) await link.started;
  link.assertUp();
  try {
    const answer = await command(link.redis);
    link.worked();
    return answer;
  } catch (error) {
    link.failed(error);
    throw translate(error);
  }
}
