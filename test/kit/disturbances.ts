import { fileURLToPath } from "node:url";
import type { BrokerProcess } from "./broker-process.ts";

/** With this in its environment a process can be disturbed as a bad host would: see `disturbed.ts`, loaded before it. */
export const DISTURBABLE = {
  NODE_OPTIONS: `--import=${fileURLToPath(new URL("./disturbed.ts", import.meta.url))}`,
} as const;

export type Disturbance =
  /** The clock on the wall jumps, as when a host is set right; what measures lengths does not. */
  | { readonly disturb: "clock"; readonly shiftMs: number }
  /** The event loop does nothing else for so long. */
  | { readonly disturb: "block"; readonly ms: number };

/** Resolves when the clock has jumped, or the block is over. */
export function disturb(victim: BrokerProcess, disturbance: Disturbance): Promise<void> {
  return victim.ask(
    disturbance,
    (answer) => (answer as { disturbed?: string }).disturbed === disturbance.disturb,
  );
}
