import { createHmac } from "node:crypto";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { equalInConstantTime } from "./compare.ts";
import type { RootKeyset } from "./root-keyset.ts";

const MAC_BYTES = 16;

/**
 * Positions in lists, as clients carry them: readable by nobody's promise, but authenticated, so that none can be made up.
 * Made under the primary root key; after a rotation of the root a client starts its list again.
 */
export function makeCursors(rootKeyset: RootKeyset) {
  const mac = (position: string): Buffer =>
    createHmac("sha256", rootKeyset.key("cursor", rootKeyset.primary))
      .update(position)
      .digest()
      .subarray(0, MAC_BYTES);
  return {
    seal(position: string): string {
      return encodeBase64url(Buffer.concat([mac(position), Buffer.from(position)]));
    },
    /** Undefined: not one of ours. */
    open(cursor: string): string | undefined {
      const bytes = decodeBase64url(cursor);
      if (bytes === undefined || bytes.length <= MAC_BYTES) return undefined;
      const position = bytes.subarray(MAC_BYTES).toString();
      return equalInConstantTime(bytes.subarray(0, MAC_BYTES), mac(position)) ? position : undefined;
    },
  };
}
