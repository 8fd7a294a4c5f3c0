import type { ApiOutcome } from "../broker/authorization/ports.ts";
import { Problem } from "../domain/problem.ts";

/** iManage no longer takes the page cursor it gave: it was another user's, or has grown too old. */
export class PageCursorRefused extends Problem {}

export type Refusal = Exclude<ApiOutcome<never>, { kind: "ok" }>;

const statusOf = (refusal: Refusal): number | undefined =>
  refusal.kind === "forbidden"
    ? 403
    : refusal.kind === "unavailable"
      ? Number(/^status_(\d{3})$/.exec(refusal.reason)?.[1])
      : undefined;

/** This may be the answer of an iManage without change feed, or of one that does not give it to this user. */
export const isWithoutFeed = (refusal: Refusal): boolean =>
  [400, 403, 404, 405, 410, 501].includes(statusOf(refusal) ?? 0);

/** This may be the answer of an iManage that does not list a workspace, or has none of that name. */
export const isWithoutList = (refusal: Refusal): boolean =>
  [400, 403, 404, 405, 501].includes(statusOf(refusal) ?? 0) ||
  (refusal.kind === "unavailable" && refusal.reason === "not_imanage");

/** This is what a feed answers whose cursor has grown too old. */
export const isCursorRefusal = (refusal: Refusal): boolean => [400, 410].includes(statusOf(refusal) ?? 0);

/**
 * Which of our problems an answer is. Reasons are words of ours, never iManage's.
 * @param paged the request carried a page cursor.
 */
export function problemOf(refusal: Refusal, what: string, paged = false): Problem {
  switch (refusal.kind) {
    case "unauthorized":
      return new Problem("token_rejected_again");
    case "forbidden":
      return new Problem("not_library_admin");
    case "throttled":
      return new Problem("imanage_rate_limited", { retryAfterMs: refusal.retryAfterMs });
    case "unavailable": {
      const detail = `iManage's ${what}: ${refusal.reason}.`;
      // Whoever may not even know of a library is answered like this (`ImanageApi.listLibraries`).
      if (refusal.reason === "status_404") return new Problem("not_library_admin", { detail });
      const stale = isCursorRefusal(refusal) || refusal.reason === "cursor_stuck";
      return stale && paged
        ? new PageCursorRefused("imanage_unavailable", { detail })
        : new Problem("imanage_unavailable", { detail });
    }
  }
}

/**
 * Why a workspace's list was refused.
 * @param found whether iManage knows of the workspace itself.
 * @throws Problem for what says nothing about the workspace.
 */
export function whyRefused(refusal: Refusal, found: ApiOutcome<boolean>): "absent" | "unlisted" | "hidden" {
  if (found.kind !== "ok" && !isWithoutList(found)) throw problemOf(found, "workspace");
  if (refusal.kind === "forbidden" || found.kind === "forbidden") return "hidden";
  return found.kind === "ok" && found.value ? "unlisted" : "absent";
}
