import { createHmac, hash } from "node:crypto";
import type { Handles, Random } from "../broker/ports.ts";
import { isRoute } from "../domain/id.ts";
import { Secret } from "../domain/secret.ts";
import { encodeBase64url } from "./base64url.ts";

const ROUTE_LENGTH = 10;
/** 32 bytes in base64url; the last letter carries four bits, so it is one of sixteen. */
const RANDOM_PART = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/**
 * State, completion and portal handles: `<route><43 characters>`, 256 random bits (RFC 6749 §10.10 asks for 160 where
 * guessing must be hopeless). The route says in which shard to look; only the digest is stored, so that whoever lists
 * Redis learns no usable handle.
 */
export function makeHandles(random: Random): Handles {
  return {
    make: (route) => new Secret(route + encodeBase64url(random.bytes(32))),
    digest: (handle) => hash("sha256", handle.reveal(), "base64url"),
    // The handle is the key: without it nobody can tell what is derived, and none of it tells the handle (RFC 2104).
    derive: (handle, purpose) => createHmac("sha256", handle.reveal()).update(purpose).digest("base64url"),
    findRoute(handle) {
      const text = handle.reveal();
      const route = text.slice(0, ROUTE_LENGTH);
      return isRoute(route) && RANDOM_PART.test(text.slice(ROUTE_LENGTH)) ? route : undefined;
    },
  };
}
