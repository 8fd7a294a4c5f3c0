import { createHash, timingSafeEqual } from "node:crypto";
import type { Request, Response } from "express";
import { z } from "zod";
import { findSignedIn, type SignedIn } from "../broker/libraries/library-pages.ts";
import { findVisitor, type Visitor } from "../broker/portal/visit-portal.ts";
import type { AuditNote } from "../broker/ports.ts";
import { parseId } from "../domain/id.ts";
import { isAssertedUser } from "../domain/portal-session.ts";
import type { Server } from "../domain/server.ts";
import { librariesAddress } from "./addresses.ts";
import { clearCookie, pageCookie, portalCookie, readCookie } from "./cookies.ts";
import { sendNotFound } from "./error-page.ts";
import type { PageDeps } from "./page-deps.ts";
import { seeOther } from "./send-page.ts";

/** Somebody at the pages of a server, signed in or not. */
export interface Visit {
  readonly server: Server;
  readonly signedIn: SignedIn | undefined;
  /** Who came from a client of this firm. Where it said who he is at iManage, nobody else is signed in here. */
  readonly visitor: Visitor | undefined;
  /** Is somebody else signed in in this browser? */
  readonly stranger: boolean;
}

/** The visit, or undefined where there is no such server and that has been answered. */
export async function visitOf(
  deps: PageDeps,
  request: Request<{ id: string }>,
  response: Response,
): Promise<Visit | undefined> {
  const id = parseId("srv", request.params.id);
  const server = id && (await deps.libraries.servers.findServer(id));
  if (server === undefined) {
    sendNotFound(deps, response);
    return undefined;
  }
  // For the error page: which server's switches and addresses to name.
  response.locals.server = server;
  const [signedIn, visitor] = await Promise.all([
    findSignedIn(deps.libraries, server.id, readCookie(request, pageCookie(deps.settings))),
    findVisitor(deps.portal, readCookie(request, portalCookie(deps.settings))),
  ]);
  const here = visitor?.firm.id === server.organisation ? visitor : undefined;
  const asserted = here?.session.upstreamUser;
  const stranger =
    signedIn !== undefined && asserted !== undefined && !isAssertedUser(asserted, signedIn.session.user);
  return { server, signedIn: stranger ? undefined : signedIn, visitor: here, stranger };
}

/** As `visitOf`, and whoever is not signed in is sent to where he can. */
export async function signedInVisit(
  deps: PageDeps,
  request: Request<{ id: string }>,
  response: Response,
): Promise<SignedIn | undefined> {
  const visit = await visitOf(deps, request, response);
  if (visit !== undefined && visit.signedIn === undefined) {
    const notice = request.method === "POST" ? "?notice=session-over" : "";
    seeOther(response, `${librariesAddress(visit.server)}${notice}`);
  }
  return visit?.signedIn;
}

/** Signs this browser out of our pages, whichever server it was. */
export async function endPageSession(deps: PageDeps, request: Request): Promise<void> {
  const cookie = readCookie(request, pageCookie(deps.settings));
  const { handles, authorizations } = deps.libraries;
  const route = cookie && handles.findRoute(cookie);
  if (route !== undefined) await authorizations.deletePageSession(route, handles.digest(cookie!));
}

export const dropPageCookie = (deps: PageDeps, response: Response): void =>
  clearCookie(response, deps.settings, pageCookie(deps.settings));

/** What a form of ours sends. The token is that of the page's session (CSRF). */
const tokenSchema = z.object({ csrf: z.string().max(100) });
const formSchema = tokenSchema.extend({
  email: z.string().max(254).optional(),
  /** The user id of the one whose place is taken, as the form named him (T11). */
  replaces: z.string().max(256).optional(),
});
export type Form = z.infer<typeof formSchema>;

/** Is this form one of this very session's? */
export function isOurForm(request: Request, session: { readonly formToken: string }): boolean {
  const { data } = tokenSchema.safeParse(request.body);
  return !sentFromElsewhere(request) && data !== undefined && same(data.csrf, session.formToken);
}

/** The form, if it is one of this very session's. */
export function readForm(request: Request, session: { readonly formToken: string }): Form | undefined {
  const { data } = formSchema.safeParse(request.body);
  return isOurForm(request, session) ? data : undefined;
}

/**
 * Did one of our pages send this form? For forms without a session, which have no token. Browsers say so in
 * `Sec-Fetch-Site`, on https and loopback. `Origin` decides where that is missing: then it must be ours, and `null`,
 * which `no-referrer` makes of it, is not.
 */
export function sentFromHere(request: Request, publicBaseUrl: string): boolean {
  const site = request.get("Sec-Fetch-Site");
  return site === undefined
    ? request.get("Origin") === new URL(publicBaseUrl).origin
    : site === "same-origin" && !sentFromElsewhere(request);
}

/** Did a script of ours send this, for this very session? Its token comes in a header, which no form of another site can set. */
export const sentByScript = (
  request: Request,
  session: { readonly formToken: string },
  publicBaseUrl: string,
): boolean =>
  sentFromHere(request, publicBaseUrl) && same(request.get("X-XSRF-TOKEN") ?? "", session.formToken);

const sentFromElsewhere = (request: Request): boolean =>
  !["same-origin", undefined].includes(request.get("Sec-Fetch-Site"));

/** Who asks for what, as the audit tells it. */
export function auditNote(deps: PageDeps, request: Request, response: Response): Omit<AuditNote, "actor"> {
  return {
    requestId: deps.requestIdOf(response),
    ...(request.ip === undefined ? {} : { address: request.ip }),
  };
}

const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
