import type { Containment } from "../../domain/containment.ts";
import { type ContainmentPorts, partsOf } from "./contain.ts";

/** What iManage says of those that it refuses, most frequent first. */
export async function refusalsOf(
  ports: ContainmentPorts,
  containment: Containment,
): Promise<readonly { readonly why: string; readonly tokens: number }[]> {
  const counts = new Map<string, number>();
  for (const { id } of await partsOf(ports, containment)) {
    for (const { why } of await ports.containments.refusals(id)) counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  return [...counts].map(([why, tokens]) => ({ why, tokens })).sort((a, b) => b.tokens - a.tokens);
}
