import type { Random } from "../broker/ports.ts";

const BYTES = 12;
/** Drawn so many at once: asking the system for a few bytes costs as much as asking for many. */
const AT_ONCE = 256;

/** `req_` and 96 random bits, base64url: an id that nobody can guess, and that tells nothing. */
export function requestIds(random: Random): () => string {
  let drawn: Buffer = Buffer.alloc(0);
  let at = 0;
  return () => {
    if (at === drawn.length) {
      drawn = Buffer.from(random.bytes(BYTES * AT_ONCE));
      at = 0;
    }
    at += BYTES;
    return `req_${drawn.toString("base64url", at - BYTES, at)}`;
  };
}
