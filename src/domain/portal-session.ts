import type { UpstreamUser } from "./grant.ts";
import type { ClientId, OrganisationId, PortalSessionId } from "./id.ts";
import type { Instant } from "./instant.ts";
import type { UserSubject } from "./subject.ts";

/**
 * One visit of a client's signed-in person to the broker's own pages. The client says who he is, in which organisation and
 * in which role; the browser that opens the one-use link is where he is.
 */
export interface PortalSession {
  readonly v: 1;
  readonly id: PortalSessionId;
  readonly client: ClientId;
  readonly organisation: OrganisationId;
  readonly subject: UserSubject;
  readonly role: PortalRole;
  /** What the person is called at the client: shown to him, so that a link that somebody sent him is seen for what it is. */
  readonly displayName: string | undefined;
  /** His iManage user id or e-mail, where the client knows it: nobody else may then finish an authorisation here. */
  readonly upstreamUser: string | undefined;
  /** Stored as registered; the way back to the client. */
  readonly returnUrl: string;
  readonly page: PortalPage;
  readonly createdAt: Instant;
  /** Of the link at first, of the visit once it was opened. */
  readonly expiresAt: Instant;
}

export type PortalRole = "user" | "organisation_admin";
export type PortalPage = "my-integrations" | "settings";

/** The pages of each role; the first is where a link leads that names none. */
export const pagesOf = (role: PortalRole): readonly [PortalPage, ...PortalPage[]] =>
  role === "organisation_admin" ? ["settings", "my-integrations"] : ["my-integrations"];

/** What a client's policy must allow before it may open the pages for a person in this role. */
export const portalRequest = (
  role: PortalRole,
  person: UserSubject,
): { readonly action: "connect" | "configure"; readonly subject: UserSubject | undefined } =>
  role === "organisation_admin"
    ? { action: "configure", subject: undefined }
    : { action: "connect", subject: person };

/** Is whoever signed in at iManage the one the client named, by user id or e-mail? iManage's ids know no case. */
export function isAssertedUser(asserted: string, user: UpstreamUser): boolean {
  const named = asserted.trim().toLowerCase();
  return named !== "" && [user.userId, user.email].some((known) => known?.toLowerCase() === named);
}
