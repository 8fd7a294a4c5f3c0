import { randomBytes } from "node:crypto";
import type { Random } from "../broker/ports.ts";

/** The operating system's cryptographic source (T05). The only place that draws randomness for secrets. */
export const systemRandom: Random = { bytes: (count) => randomBytes(count) };
