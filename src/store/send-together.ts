import { Redis } from "ioredis";
import type { RedisConnection } from "./connect-redis.ts";

/**
 * A write to a socket, and the read at its other end, cost as much as a small command itself. More than so many do not wait for each
 * other: the server would have nothing to do while this process puts them together, and this process nothing while it answers.
 */
const TOGETHER_MAX = 8;

/**
 * Commands that are given to a connection within one turn of the loop leave in one write, or few. Answers come as before, and so do
 * failures: nothing but the socket's buffer is held back, for no time that could be measured.
 * @returns what is to be called before each command. Of a cluster, whose nodes have sockets of their own, it does nothing.
 */
export function sendTogether(connection: RedisConnection): () => void {
  if (!(connection instanceof Redis)) return () => {};
  let held: Redis["stream"] | undefined;
  let waiting = 0;
  const letGo = (): void => {
    held?.uncork();
    held = undefined;
    waiting = 0;
  };
  return () => {
    // Undefined, or another one than before, while it reconnects.
    const { stream } = connection;
    if (waiting >= TOGETHER_MAX || (held !== undefined && held !== stream)) letGo();
    if (held === undefined && stream?.writable) {
      held = stream;
      stream.cork();
      setImmediate(letGo);
    }
    waiting += 1;
  };
}
