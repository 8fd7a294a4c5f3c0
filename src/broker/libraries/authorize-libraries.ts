import { timing } from "../../domain/access-policy.ts";
import { sameUpstreamUser, type UpstreamUser } from "../../domain/grant.ts";
import { type Route, routeOf, type ServerId } from "../../domain/id.ts";
import { maskedUser } from "../../domain/masked.ts";
import { isAssertedUser } from "../../domain/portal-session.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { LibraryOutcome, LibraryWanted, PagePurpose } from "../authorization/ports.ts";
import type { CallbackOutcome } from "../authorization/receive-callback.ts";
import { keepOrDiscard, type Redeemed, redeem, storeConsent } from "../authorization/redeem.ts";
import { type StartedAuthorization, startAuthorization } from "../authorization/start-authorization.ts";
import { rememberFailure } from "../diagnosis/remember.ts";
import type { AuditNote } from "../ports.ts";
import { codeVerifierContext } from "../seal-contexts.ts";
import {
  isAdmin,
  type LibraryPagePorts,
  readOrThrow,
  refuseWhereSwitchedOff,
  type SignedIn,
} from "./library-pages.ts";

/** What the form of *Authorize* says. */
export interface AuthorizeForm {
  readonly libraries: readonly string[];
  readonly email: string;
  /** User ids of those whose place he agreed to take: the form named them (T11). */
  readonly replaces: readonly string[];
  /** Asked for, but on no list of his: refused by name once he is back. Whose they are is not told before (T11). */
  readonly notListed?: readonly string[];
}

export interface FinishedPage {
  readonly sessionCookie: Secret;
  readonly server: ServerId;
  /** Empty after a sign-in that was for none. */
  readonly libraries: readonly LibraryOutcome[];
}

/** More than any firm has, and little enough for one script. */
const LIBRARIES_AT_ONCE = 500;

/**
 * *Use my credentials & authorize*: the e-mail id must be the signed-in person's, and who then signs in at iManage must be
 * the same person again (design §3.5). One sign-in for all: iManage may end the refresh token of the one before.
 * @throws Problem upstream_user_changed where another lent one of them and is not named in `replaces` (T11)
 */
export async function startAuthorizeLibraries(
  ports: LibraryPagePorts,
  signedIn: SignedIn,
  form: AuthorizeForm,
): Promise<StartedAuthorization> {
  const { server, session } = signedIn;
  await refuseWhereSwitchedOff(ports, server, form.libraries.slice(0, LIBRARIES_AT_ONCE));
  const { user } = session;
  const email = form.email.trim();
  const known = [user.email, user.userId]
    .filter((name) => name !== undefined)
    .map((name) => name.toLowerCase());
  if (!known.includes(email.toLowerCase())) throw new Problem("upstream_user_mismatch");

  const wanted = [...new Set(form.libraries)];
  const notListed = [...new Set(form.notListed ?? [])];
  if (wanted.length === 0 || wanted.length + notListed.length > LIBRARIES_AT_ONCE)
    throw new Problem("invalid_request");
  const lent = new Map((await ports.lent.listLibraries(server.id)).map((one) => [one.library, one.lentBy]));
  const agreed = new Set(form.replaces.map((name) => name.toLowerCase()));
  const libraries = wanted.map((library): LibraryWanted => {
    const owner = lent.get(library);
    if (owner === undefined || sameUpstreamUser(owner, user)) return { library, replaces: undefined };
    if (!agreed.has(owner.userId.toLowerCase())) throw changed(library, owner, user);
    return { library, replaces: owner };
  });
  libraries.push(...notListed.map((library) => ({ library, replaces: undefined })));
  const purpose: PagePurpose = { act: "authorize-libraries", libraries, as: user };
  return startAuthorization(ports, server, { by: "page", purpose }, email);
}

const changed = (library: string, owner: UpstreamUser, user: UpstreamUser): Problem =>
  new Problem("upstream_user_changed", {
    members: { library, authorized_by: maskedUser(owner), signed_in_as: maskedUser(user) },
  });

/** The browser is back on one of our own pages: redeem at once, and do what it left for. */
export async function finishPageAuthorization(
  ports: LibraryPagePorts,
  back: Extract<CallbackOutcome, { kind: "page" }>,
  note: Omit<AuditNote, "actor">,
): Promise<FinishedPage> {
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
): Promise<FinishedPage> {
  const { server, request, purpose } = back;
  // Switched off while he was at iManage: the code is left unused.
  const wanted = purpose.act === "authorize-libraries" ? purpose.libraries.map(({ library }) => library) : [];
  await refuseWhereSwitchedOff(ports, server, wanted);
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
  const libraries =
    purpose.act === "authorize-libraries" ? await authorize(ports, redeemed, purpose, audited) : [];
  if (purpose.act === "sign-in") {
    if (purpose.asserted !== undefined && !isAssertedUser(purpose.asserted, user)) {
      await keepOrDiscard(ports, redeemed, audited);
      throw new Problem("asserted_user_mismatch");
    }
    await storeConsent(ports, redeemed, undefined, audited);
  }
  // He may have signed in again because his role has changed; and what was refused is otherwise than was remembered.
  if (purpose.act === "sign-in" || libraries.some(isRefused))
    await ports.memory.forgetRights(server.id, user);
  const sessionCookie = await openPageSession(ports, server, user, libraries);
  return { sessionCookie, server: server.id, libraries };
}

/**
 * Each library is looked at with the new token before anything changes hands: so what takes the place of another's
 * authorisation has worked once, and the other serves until then.
 */
async function authorize(
  ports: LibraryPagePorts,
  redeemed: Redeemed,
  purpose: Extract<PagePurpose, { act: "authorize-libraries" }>,
  note: AuditNote,
): Promise<readonly LibraryOutcome[]> {
  const { server, answer, identity } = redeemed;
  const { user } = identity;
  const names = new Set(purpose.libraries.map(({ library }) => library));
  const seen = !sameUpstreamUser(user, purpose.as)
    ? new Problem("upstream_user_mismatch", {
        members: { expected: maskedUser(purpose.as), signed_in_as: maskedUser(user) },
      })
    : await ports.libraries
        .listLibraries(server, user, answer.accessToken, names)
        .then(readOrThrow)
        .catch((error: unknown) => ({ failed: error }));
  // Kept whatever the page then says: this consent may have ended the refresh token of a grant this person already has.
  const grant = await storeConsent(ports, redeemed, undefined, note);
  if (seen instanceof Problem) throw seen;
  if ("failed" in seen) throw seen.failed;

  const administered = new Set(seen.filter(isAdmin).map(({ id }) => id));
  const mayLend = purpose.libraries.filter(({ library }) => administered.has(library));
  const lent = mayLend.length === 0 ? [] : await ports.lent.lendLibraries(grant, server.id, mayLend, note);
  if (lent === "gone") throw new Problem("reauthorization_required");
  const outcomes = purpose.libraries.map(({ library }): LibraryOutcome => {
    if (!administered.has(library)) return { library, outcome: "not_library_admin" };
    const stored = lent[mayLend.findIndex((one) => one.library === library)];
    return { library, outcome: stored === "lent" ? "authorized" : "upstream_user_changed" };
  });
  const [first] = outcomes;
  if (first !== undefined && first.outcome !== "authorized" && outcomes.every(isRefused))
    throw new Problem(first.outcome);
  return outcomes;
}

const isRefused = ({ outcome }: LibraryOutcome): boolean => outcome !== "authorized";

async function openPageSession(
  ports: LibraryPagePorts,
  server: Server,
  user: UpstreamUser,
  libraries: readonly LibraryOutcome[],
): Promise<Secret> {
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
      ...(libraries.length > 1 && { libraries }),
    },
    timing.pageSessionMs,
  );
  return cookie;
}
