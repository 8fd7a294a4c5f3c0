import type { PublicDocuments } from "../broker/ports.ts";
import { boundedJson } from "./bounded-json.ts";
import type { Outbound } from "./outbound.ts";

const BOUNDS = { depth: 8, members: 2_000 };

/** Documents that others publish, read through the same door and the same guard as everything else (T14). */
export const makePublicDocuments = (outbound: Pick<Outbound, "exchange">): PublicDocuments => ({
  async read(url, deadlineMs, bytesMax) {
    const exchange = await outbound.exchange({
      to: "keys",
      method: "GET",
      url,
      headers: { accept: "application/jwk-set+json, application/json" },
      deadlineMs,
      headersTimeoutMs: deadlineMs,
      bodyLimitBytes: bytesMax,
    });
    if (exchange.kind !== "answer") return { away: exchange.reason };
    if (exchange.cutBy !== undefined) return { away: exchange.cutBy };
    if (exchange.status !== 200) return { away: `status_${exchange.status}` };
    const read = boundedJson(exchange.body, BOUNDS);
    return read === undefined ? { away: "not_json" } : { document: read.value };
  },
});
