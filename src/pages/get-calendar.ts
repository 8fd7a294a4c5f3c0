import { createHash } from "node:crypto";
import type { RequestHandler } from "express";
import { readCalendar } from "../broker/calendar/read-calendar.ts";
import { Secret } from "../domain/secret.ts";
import { calendarFile } from "./calendar-file.ts";
import { sendNotFound } from "./error-page.ts";
import type { PageDeps } from "./page-deps.ts";

/**
 * `GET /calendars/:file`, where the file is `<handle>.ics`: what a calendar fetches. The handle is the permission. Whatever
 * is wrong with it, the answer is the same page.
 */
export function getCalendar(deps: PageDeps): RequestHandler<{ file: string }> {
  return async (request, response) => {
    const { file } = request.params;
    const calendar = file.endsWith(".ics")
      ? await readCalendar(deps.calendar, new Secret(file.slice(0, -".ics".length)))
      : undefined;
    if (calendar === undefined) return sendNotFound(deps, response);
    const body = calendarFile(deps.settings, calendar);
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 32)}"`;
    // Asked for each time and mostly answered by 304: a link that is revoked is dead at once, and calendars that poll cost little.
    response.set({ "Cache-Control": "private, no-cache", ETag: etag });
    if (isKnown(request.get("If-None-Match"), etag)) return void response.status(304).end();
    response
      .set({
        // METHOD stands in both places or in neither (RFC 5545 §3.7.2).
        "Content-Type": "text/calendar; charset=utf-8; method=PUBLISH",
        "Content-Disposition": 'inline; filename="imanage-renewals.ics"',
        "Content-Length": String(Buffer.byteLength(body)),
      })
      .end(body);
  };
}

/** RFC 9110 §13.1.2. Express would answer in full whoever also sends `Cache-Control: no-cache`, as calendars that poll do. */
const isKnown = (ifNoneMatch: string | undefined, etag: string): boolean =>
  (ifNoneMatch ?? "").split(",").some((each) => [etag, "*"].includes(each.trim().replace(/^W\//, "")));
