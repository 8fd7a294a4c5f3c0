import { describeClosedServer, worthTelling } from "../../domain/closed-server.ts";
import type { OrganisationId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { Server } from "../../domain/server.ts";
import type { Log } from "../ports.ts";
import type { GateReader } from "./ports.ts";

export interface ClosedServersPorts {
  readonly log: Pick<Log, "error">;
  readonly gates: GateReader;
  readonly servers: { listServers(organisation: OrganisationId): Promise<readonly Server[]> };
}

/** Tells operators, on the log, of an organisation's servers to which nothing is sent, as often as it is worth saying. */
export async function tellClosedServers(
  { log, gates, servers }: ClosedServersPorts,
  organisation: OrganisationId,
  now: Instant,
  lookedMs: Milliseconds,
): Promise<void> {
  for (const server of await servers.listServers(organisation)) {
    const gate = await gates.findClosedGate(server.id);
    if (gate === undefined || !worthTelling(gate, now, lookedMs)) continue;
    const { code, sentence } = describeClosedServer(gate, now);
    log.error({ organisation, server: server.id, code, detail: sentence }, "server closed");
  }
}
