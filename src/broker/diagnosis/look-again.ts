import { awaitedBy, isDueAgain } from "../../domain/awaiting.ts";
import type { Diagnosis } from "../../domain/diagnosis.ts";
import type { OrganisationId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { Server } from "../../domain/server.ts";
import { type DiagnosisPorts, diagnoseServer } from "./diagnose-server.ts";

export interface LookAgainPorts extends DiagnosisPorts {
  readonly organisations: {
    listOrganisations(): Promise<readonly { readonly id: OrganisationId; readonly enabled: boolean }[]>;
    listServers(organisation: OrganisationId): Promise<readonly Server[]>;
  };
}

/**
 * Looks again at the server that waits longest for somebody's change: an operator's exception, or one at iManage that takes
 * a day or two. One at a time, because a server that does not answer takes its time. What came of it is kept where its
 * admins look, and told to operators when the server is through.
 */
export async function lookAgain(ports: LookAgainPorts): Promise<"through" | "waiting" | "nothing"> {
  const last = await longestWaiting(ports);
  if (last === undefined) return "nothing";
  try {
    for await (const event of diagnoseServer(ports, {
      server: last.server,
      requestId: "look-again",
      minIntervalMs: 0,
    })) {
      if (!("diagnosis" in event) || event.diagnosis.verdict === "failed") continue;
      ports.log.info(
        {
          server: last.server,
          code: "server_through",
          outcome: event.diagnosis.verdict,
          detail: awaitedBy(last)
            .flatMap(({ who, causes }) => causes.map((cause) => `${who}: ${cause}`))
            .join(", "),
        },
        "what this server waited for has happened",
      );
      return "through";
    }
  } catch (error) {
    // Somebody looks at it just now, or it is gone: either is no business of this job.
    if (!(error instanceof Problem) || error.code === "store_unavailable") throw error;
  }
  return "waiting";
}

async function longestWaiting(ports: LookAgainPorts): Promise<Diagnosis | undefined> {
  const now = ports.clock.now();
  let longest: Diagnosis | undefined;
  for (const { id, enabled } of await ports.organisations.listOrganisations()) {
    if (!enabled) continue;
    for (const server of await ports.organisations.listServers(id)) {
      const { last } = await ports.diagnoses.findDiagnoses(server.id);
      if (last === undefined || !isDueAgain(last, now)) continue;
      if (longest === undefined || last.startedAt < longest.startedAt) longest = last;
    }
  }
  return longest;
}
