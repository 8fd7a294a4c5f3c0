import type { Request, Response } from "express";
import { listLibraryViews, type SignedIn } from "../broker/libraries/library-pages.ts";
import type { LibraryView } from "../broker/libraries/library-view.ts";
import { sendNotFound } from "./error-page.ts";
import type { PageDeps } from "./page-deps.ts";
import { signedInVisit } from "./page-session.ts";

/** `/servers/:id/libraries/:library/…` */
export interface LibraryParams {
  readonly id: string;
  readonly library: string;
  [name: string]: string;
}

/** An admin at one of his libraries; undefined where he is not signed in or it is not on his list, and that has been answered. */
export async function libraryVisit(
  deps: PageDeps,
  request: Request<LibraryParams>,
  response: Response,
): Promise<{ readonly signedIn: SignedIn; readonly row: LibraryView } | undefined> {
  const signedIn = await signedInVisit(deps, request, response);
  if (signedIn === undefined) return undefined;
  const row = await findRow(deps, signedIn, request.params.library);
  if (row !== undefined) return { signedIn, row };
  sendNotFound(deps, response);
  return undefined;
}

/** Only a library that is on his list: an address alone makes no page speak of another. */
export async function findRow(
  deps: PageDeps,
  signedIn: SignedIn,
  library: string,
): Promise<LibraryView | undefined> {
  const rows = await listLibraryViews(deps.libraries, signedIn);
  return rows.find((row) => row.library === library);
}
