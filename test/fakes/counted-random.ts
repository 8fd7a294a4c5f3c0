import { createHash } from "node:crypto";
import type { Random } from "../../src/broker/ports.ts";

/** Different bytes at every call, the same in every run. */
export class CountedRandom implements Random {
  #calls = 0;

  bytes(count: number): Uint8Array {
    const call = ++this.#calls;
    const blocks = Array.from({ length: Math.ceil(count / 32) }, (_, at) =>
      createHash("sha256").update(`${call} ${at}`).digest(),
    );
    return Uint8Array.from(Buffer.concat(blocks).subarray(0, count));
  }
}
