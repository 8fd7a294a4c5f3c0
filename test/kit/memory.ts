import { fileURLToPath } from "node:url";
import type { BrokerProcess } from "./broker-process.ts";

/** In bytes. */
export interface Memory {
  /** What is left of heap and buffers after a collection. */
  readonly live: number;
  readonly rss: number;
}

/** With this in its environment a process says how much memory it holds. */
export const TELLS_MEMORY: Readonly<Record<string, string>> = {
  NODE_OPTIONS: `--expose-gc --import=${fileURLToPath(new URL("./tells-memory.ts", import.meta.url))}`,
};

export async function memoryOf(one: BrokerProcess): Promise<Memory> {
  let told: Memory | undefined;
  await one.ask({ tell: "memory" }, (answer) => {
    told = (answer as { readonly memory?: Memory }).memory;
    return told !== undefined;
  });
  return told!;
}
