import { timing } from "../../domain/access-policy.ts";
import { sameUpstreamUser, type UpstreamUser } from "../../domain/grant.ts";
import type { GrantId, Route, ServerId } from "../../domain/id.ts";
import { routeOf } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { AuthorizationPorts } from "../authorization/connect-ports.ts";
import type { ApiOutcome, PagePurpose, PageSession } from "../authorization/ports.ts";
import type { CallbackOutcome } from "../authorization/receive-callback.ts";
import { redeem, storeConsent } from "../authorization/redeem.ts";
import { type StartedAuthorization, startAuthorization } from "../authorization/start-authorization.ts";
import { rememberFailure } from "../diagnosis/remember.ts";
import type { AuditNote, Handles } from "../ports.ts";
import { codeVerifierContext } from "../seal-contexts.ts";
import { type LibraryView, viewLibraries } from "./library-view.ts";
import type { LibraryRights, LibraryViewPorts } from "./ports.ts";

export interface LibraryPagePorts
  extends AuthorizationPorts,
    Omit<LibraryViewPorts, keyof AuthorizationPorts> {
  readonly ownTokens: OwnTokens;
}

/** An access token for the broker's own use on behalf of the person who is on one of its pages. Never handed out. */
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

/** *Sign in with iManage*: that is the admin's identity here. */
export async function startSignIn(
  ports: LibraryPagePorts,
  serverId: ServerId,
): Promise<StartedAuthorization> {
  const server = await ports.servers.findServer(serverId);
  if (server === undefined) throw new Problem("not_found");
  return startAuthorization(ports, server, { by: "page", purpose: { act: "sign-in" } }, undefined);
}

/**
 * *Use my credentials & authorize*: the e-mail id must be the signed-in person's, and who then signs in at iManage must be
 * the same person again (design §3.5).
 */
export async function startAuthorizeLibrary(
  ports: LibraryPagePorts,
  signedIn: SignedIn,
  library: string,
  email: string,
): Promise<StartedAuthorization> {
  const { user } = signedIn.session;
  const known = [user.email, user.userId]
    .filter((name) => name !== undefined)
    .map((name) => name.toLowerCase());
  if (!known.includes(email.trim().toLowerCase())) throw new Problem("upstream_user_mismatch");
  const purpose: PagePurpose = { act: "authorize-library", library, as: user };
  return startAuthorization(ports, signedIn.server, { by: "page", purpose }, email.trim());
}

/** The browser is back on one of our own pages: redeem at once, and do what it left for. */
export async function finishPageAuthorization(
  ports: LibraryPagePorts,
  back: Extract<CallbackOutcome, { kind: "page" }>,
  note: Omit<AuditNote, "actor">,
): Promise<{ readonly sessionCookie: Secret; readonly server: ServerId }> {
  try {
    return await finish(ports, back, note);
  } catch (error) {
    await rememberFailure(ports.signIns, back.server.id, error, note.requestId);
    throw error;
  }
}

async function finish(
  ports: LibraryPagePorts,
  back: Extract<CallbackOutcome, { kind: "page" }>,
  note: Omit<AuditNote, "actor">,
): Promise<{ readonly sessionCookie: Secret; readonly server: ServerId }> {
  const { server, request, purpose } = back;
  const redeemed = await redeem(ports, {
    server,
    registration: request.registration,
    redirectUri: request.redirectUri,
    code: back.code,
    codeVerifier: await ports.sealer.open(
      request.codeVerifier,
      codeVerifierContext(server, request.registration),
    ),
    issuer: back.issuer,
  });
  const { user } = redeemed.identity;
  const audited: AuditNote = { ...note, actor: `user:${user.customerId}/${user.userId}` };

  if (purpose.act === "authorize-library") {
    const problem = !sameUpstreamUser(user, purpose.as)
      ? new Problem("upstream_user_mismatch")
      : await administers(ports, server, user, redeemed.answer.accessToken, purpose.library).then(
          (administered) => (administered ? undefined : new Problem("not_library_admin")),
          (error: unknown) => error,
        );
    // Kept whatever the page then says: this consent may have ended the refresh token of a grant this person already has.
    await storeConsent(
      ports,
      redeemed,
      problem === undefined ? { type: "library", library: purpose.library } : undefined,
      audited,
    );
    if (problem !== undefined) throw problem;
  } else {
    await storeConsent(ports, redeemed, undefined, audited);
  }
  return { sessionCookie: await openPageSession(ports, server, user), server: server.id };
}

async function openPageSession(ports: LibraryPagePorts, server: Server, user: UpstreamUser): Promise<Secret> {
  const route: Route = routeOf(server.id);
  const cookie = ports.handles.make(route);
  await ports.authorizations.insertPageSession(
    route,
    ports.handles.digest(cookie),
    {
      v: 1,
      server: server.id,
      user,
      expiresAt: ports.clock.now() + timing.pageSessionMs,
    },
    timing.pageSessionMs,
  );
  return cookie;
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
  const listed = await readLibraries(ports, signedIn);
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

/** Takes a library's authorisation back. Only who administers the library may. */
export async function withdrawLibrary(
  ports: LibraryPagePorts,
  signedIn: SignedIn,
  library: string,
  note: Omit<AuditNote, "actor">,
): Promise<void> {
  const { server, session } = signedIn;
  const row = (await readLibraries(ports, signedIn)).find(({ id }) => id === library);
  if (row === undefined || !isAdmin(row)) throw new Problem("not_library_admin");
  await ports.lent.withdrawLibrary(server.id, library, {
    ...note,
    actor: `user:${session.user.customerId}/${session.user.userId}`,
  });
}

async function readLibraries(ports: LibraryPagePorts, { server, session }: SignedIn) {
  const consent = await ports.consents.findConsent(server, session.user);
  if (consent === undefined) throw new Problem("reauthorization_required");
  const accessToken = await ports.ownTokens.open(consent.grant);
  return readOrThrow(await ports.libraries.listLibraries(server, session.user, accessToken));
}

async function administers(
  ports: LibraryPagePorts,
  server: Server,
  user: UpstreamUser,
  accessToken: Secret,
  library: string,
): Promise<boolean> {
  const rows = readOrThrow(await ports.libraries.listLibraries(server, user, accessToken));
  return rows.some((row) => row.id === library && isAdmin(row));
}

/** NRTADMIN is a group and a role (facts page, C); either opens the page, and the later issue explains a difference. */
const isAdmin = (row: { readonly adminByOperations: boolean; readonly adminByGroup: boolean }): boolean =>
  row.adminByOperations || row.adminByGroup;

function readOrThrow<T>(outcome: ApiOutcome<T>): T {
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
