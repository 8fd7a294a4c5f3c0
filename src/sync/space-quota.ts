import { organisationOf } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import type { SyncPorts } from "./ports.ts";
import type { SyncSpace } from "./reading-ports.ts";

/**
 * No token for a further page while the syncs of an organisation take more than they may: so the run is parked with its reason, and
 * goes on by itself once there is room. Nothing is lost, because its cursor stays where it is.
 */
export const withinQuota =
  (
    accessToken: SyncPorts["accessToken"],
    space: Pick<SyncSpace, "totalOf">,
    quotaBytes: number,
  ): SyncPorts["accessToken"] =>
  async (request) => {
    if ((await space.totalOf(organisationOf(request.server))) >= quotaBytes) {
      throw new Problem("sync_quota_exceeded");
    }
    return accessToken(request);
  };
