import type { ClientId, ConnectSessionId, GrantId, OrganisationId, ServerId } from "./id.ts";
import type { Instant, Milliseconds } from "./instant.ts";
import type { ProblemCode } from "./problem-catalogue.ts";
import type { UserSubject } from "./subject.ts";

/** One attempt of a client to get a person's authorisation, from *create* to *complete*. */
export interface ConnectSession {
  readonly v: 1;
  readonly id: ConnectSessionId;
  readonly client: ClientId;
  readonly organisation: OrganisationId;
  readonly server: ServerId;
  readonly subject: UserSubject;
  /** Stored as registered; the only address the browser is ever sent to. */
  readonly returnUrl: string;
  readonly loginHint: string | undefined;
  readonly state: ConnectSessionState;
  readonly grant: GrantId | undefined;
  readonly problem: ProblemCode | undefined;
  readonly createdAt: Instant;
  /** When the browser came back with a code: the completion window runs from here. */
  readonly returnedAt: Instant | undefined;
  /** How long that is, as this server was known then. Absent where it was stored before this was kept. */
  readonly windowMs?: Milliseconds;
  readonly expiresAt: Instant;
  /** Its code is spent on a wrong verifier, to learn whether the server honours PKCE (T04). */
  readonly checksPkce?: true;
  /** Began on *My integrations*, and how it ends there. Absent: at the client. */
  readonly portal?: {
    /**
     * The iManage user that the client said its person is. Only he may finish, and then the broker's own page completes
     * (design §3.5). Undefined: the client completes, as ever.
     */
    readonly upstreamUser: string | undefined;
  };
}

export type ConnectSessionState = "created" | "started" | "returned" | "connected" | "failed";
