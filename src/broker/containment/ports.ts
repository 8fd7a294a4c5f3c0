import type { ClientId, GrantId, OrganisationId, ServerId } from "../../domain/id.ts";
import type { Subject } from "../../domain/subject.ts";

/** What tokens are stopped for. Read in the script that would hand one out, so it holds from the moment it is stored. */
export type ContainmentTarget =
  | { readonly kind: "organisation" }
  | { readonly kind: "client"; readonly client: ClientId }
  | { readonly kind: "server"; readonly server: ServerId }
  | { readonly kind: "grant"; readonly grant: GrantId }
  | {
      readonly kind: "subject";
      readonly server: ServerId;
      readonly client: ClientId;
      readonly subject: Subject;
    };

export interface ContainmentStore {
  contain(organisation: OrganisationId, target: ContainmentTarget): Promise<void>;
  lift(organisation: OrganisationId, target: ContainmentTarget): Promise<void>;
}
