import { sameUpstreamUser } from "../../domain/grant.ts";
import type { GrantId, ServerId } from "../../domain/id.ts";
import { routeOf } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { AuthorizationPorts } from "../authorization/connect-ports.ts";
import type { ApiOutcome, PageSession } from "../authorization/ports.ts";
import { type StartedAuthorization, startAuthorization } from "../authorization/start-authorization.ts";
import { refuseContained } from "../containment/refuse-contained.ts";
import type { AuditNote, Handles } from "../ports.ts";
import { type LibraryView, viewLibraries } from "./library-view.ts";
import type { LibraryRights, LibraryViewPorts } from "./ports.ts";
import { rememberedLibraries } from "./remember-libraries.ts";

export interface LibraryPagePorts
  extends AuthorizationPorts,
    Omit<LibraryViewPorts, keyof AuthorizationPorts> {
  readonly ownTokens: OwnTokens;
}

/**
 * An access token for the broker's own use: on behalf of the person who is on one of its pages, or to look after what he lent.
 * Never handed out.
 */
export interface OwnTokens {
  open(grant: GrantId): Promise<Secret>;
}

/** Someone who is signed in to a page of ours, by having signed in to iManage in this very browser. */
export interface SignedIn {
  readonly session: PageSession;
  readonly sessionDigest: string;
  /** What its forms carry (CSRF). Made from the cookie, so that whoever reads the store learns none. */
  readonly formToken: string;
  readonly server: Server;
}

export async function findSignedIn(
  ports: LibraryPagePorts,
  serverId: ServerId,
  cookie: Secret | undefined,
): Promise<SignedIn | undefined> {
  const route = cookie && ports.handles.findRoute(cookie);
  if (route === undefined || route !== routeOf(serverId)) return undefined;
  const sessionDigest = ports.handles.digest(cookie!);
  const session = await ports.authorizations.findPageSession(route, sessionDigest);
  if (session?.server !== serverId || session.expiresAt <= ports.clock.now()) return undefined;
  const server = await ports.servers.findServer(serverId);
  if (server === undefined) return undefined;
  return { session, sessionDigest, formToken: formTokenOf(ports.handles, cookie!), server };
}

export const formTokenOf = (handles: Pick<Handles, "derive">, cookie: Secret): string =>
  handles.derive(cookie, "form");

/**
 * *Sign in with iManage*: that is the admin's identity here.
 * @param asserted whom the client that he came from says he is at iManage: nobody else is then signed in
 */
export async function startSignIn(
  ports: LibraryPagePorts,
  serverId: ServerId,
  asserted?: string,
): Promise<StartedAuthorization> {
  const server = await ports.servers.findServer(serverId);
  if (server === undefined) throw new Problem("not_found");
  await refuseWhereSwitchedOff(ports, server);
  const purpose = { act: "sign-in", ...(asserted !== undefined && { asserted }) } as const;
  return startAuthorization(ports, server, { by: "page", purpose }, asserted);
}

/**
 * Where iManage is switched off, or tokens are stopped, nobody signs in, and nothing is redeemed.
 * @throws Problem organisation_disabled | contained
 */
export async function refuseWhereSwitchedOff(
  ports: Pick<LibraryPagePorts, "organisations" | "stops">,
  server: Server,
  libraries: readonly string[] = [],
): Promise<void> {
  const firm = await ports.organisations.findOrganisation(server.organisation);
  if (firm?.enabled !== true) throw new Problem("organisation_disabled");
  for (const library of [undefined, ...libraries])
    await refuseContained(ports, server.organisation, { server: server.id, library });
}

/**
 * The libraries of this server for which the signed-in person has NRTADMIN access, with what has been lent, and those that
 * he lent though he has none any more.
 */
export async function listLibraryViews(
  ports: LibraryPagePorts,
  signedIn: SignedIn,
): Promise<readonly LibraryView[]> {
  const { server, session } = signedIn;
  const grant = await grantOf(ports, signedIn);
  const listed = await rememberedLibraries(ports, { server, user: session.user, grant }, () =>
    readLibraries(ports, signedIn),
  );
  const views = await viewLibraries(
    ports,
    server.id,
    listed.map(({ adminByOperations, adminByGroup, ...row }) => ({
      ...row,
      rights: rightsOf(adminByOperations, adminByGroup),
    })),
  );
  const administered = new Set(listed.filter(isAdmin).map(({ id }) => id));
  return views.filter(
    ({ library, lentBy }) =>
      administered.has(library) || (lentBy !== undefined && sameUpstreamUser(lentBy, session.user)),
  );
}

const rightsOf = (byOperations: boolean, byGroup: boolean): LibraryRights => ({
  byOperations,
  byGroup,
  difference:
    byOperations === byGroup ? undefined : byOperations ? "role_without_group" : "group_without_role",
});

/** Takes a library's authorisation back. Only who administers the library may, and who lent it. */
export async function withdrawLibrary(
  ports: LibraryPagePorts,
  signedIn: SignedIn,
  library: string,
  note: Omit<AuditNote, "actor">,
): Promise<void> {
  const { server, session } = signedIn;
  const audited: AuditNote = {
    ...note,
    actor: `user:${session.user.customerId}/${session.user.userId}`,
  };
  const lent = await ports.lent.findLibrary(server.id, library);
  if (lent !== undefined && sameUpstreamUser(lent.lentBy, session.user)) {
    const withdrawn = await ports.lent.withdrawLibrary(server.id, library, audited, lent.grant);
    if (withdrawn === "withdrawn") return;
    // Another has taken his place since.
  }
  const row = (await readLibraries(ports, signedIn, new Set([library]))).find(({ id }) => id === library);
  if (row === undefined || !isAdmin(row)) throw new Problem("not_library_admin");
  await ports.lent.withdrawLibrary(server.id, library, audited);
}

async function grantOf(
  ports: LibraryPagePorts,
  { server, session }: Pick<SignedIn, "server" | "session">,
): Promise<GrantId> {
  const consent = await ports.consents.findConsent(server, session.user);
  if (consent === undefined) throw new Problem("reauthorization_required");
  return consent.grant;
}

async function readLibraries(
  ports: LibraryPagePorts,
  { server, session }: Pick<SignedIn, "server" | "session">,
  only?: ReadonlySet<string>,
) {
  const accessToken = await ports.ownTokens.open(await grantOf(ports, { server, session }));
  return readOrThrow(await ports.libraries.listLibraries(server, session.user, accessToken, only));
}

/** NRTADMIN is a group and a role (facts page, C); either opens the page, and the view explains a difference. */
export const isAdmin = (row: {
  readonly adminByOperations: boolean;
  readonly adminByGroup: boolean;
}): boolean => row.adminByOperations || row.adminByGroup;

export function readOrThrow<T>(outcome: ApiOutcome<T>): T {
  switch (outcome.kind) {
    case "ok":
      return outcome.value;
    case "unauthorized":
      throw new Problem("reauthorization_required");
    case "forbidden":
      throw new Problem("user_not_in_access");
    case "throttled":
      throw new Problem("imanage_unavailable", { retryAfterMs: outcome.retryAfterMs });
    case "unavailable":
      throw new Problem("imanage_unavailable", { retryAfterMs: 5_000 });
  }
}
