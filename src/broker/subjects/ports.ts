import type { OrganisationId, ServerId } from "../../domain/id.ts";
import type { ServerDirectory } from "../authorization/ports.ts";
import type { PolicyPorts } from "../clients/policies.ts";
import type { GrantStore } from "../grants/ports.ts";
import type { Revoker } from "../grants/revoke-pending.ts";

export interface SubjectPorts extends PolicyPorts {
  readonly grants: Pick<GrantStore, "findUserGrant" | "findGrant" | "moveUser" | "unbindUser">;
  readonly servers: Pick<ServerDirectory, "findServer"> & {
    listServers(organisation: OrganisationId): Promise<readonly { readonly id: ServerId }[]>;
  };
  readonly revoker: Pick<Revoker, "revokeSoon">;
}
