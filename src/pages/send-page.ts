import type { Response } from "express";
import type { Timers } from "../broker/ports.ts";
import { type Hole, type Html, html, partsOf, REST } from "./html.ts";
import { layout, type PageParts } from "./layout.ts";
import type { PageSettings } from "./page-deps.ts";

/** Sends a page. Not by `send`, which adds an ETag: nothing here is to be kept anywhere. */
export function sendPage(response: Response, status: number, page: Html): void {
  response.status(status).set("Content-Type", "text/html; charset=utf-8").end(page.text);
}

/** The end of a page: what is only known once others have answered. */
export interface Drawn {
  readonly status: number;
  readonly main: Hole;
  readonly retryAfterMs?: number | undefined;
}

/** How long a page may seem not to come. */
export const PATIENCE_MS = 1_000;

/**
 * Sends a page whose end others have to answer first. In time it is a page like any other; later its beginning is sent at
 * once, with a word of what is waited for that disappears as the end arrives. What goes wrong then has no status any more.
 * @param drawing MUST NOT reject
 */
export async function sendPageWhenDrawn(
  deps: { readonly settings: PageSettings; readonly timers: Timers },
  response: Response,
  { main, waiting, ...parts }: PageParts & { readonly waiting: string },
  drawing: Promise<Drawn>,
): Promise<void> {
  const patience = deps.timers.after(PATIENCE_MS);
  const inTime = await Promise.race([drawing, patience.elapsed.then(() => undefined)]);
  patience.cancel();
  if (inTime !== undefined) {
    const { status, retryAfterMs, main: end } = inTime;
    if (retryAfterMs !== undefined) response.set("Retry-After", String(Math.ceil(retryAfterMs / 1_000)));
    return sendPage(response, status, layout(deps.settings, { ...parts, main: html`${main}\n${end}` }));
  }
  const waits = html`<p class="card note waiting" role="status">${waiting}</p>`;
  const page = layout(deps.settings, { ...parts, main: html`${main}\n${waits}\n${REST}` });
  const [head = "", tail = ""] = partsOf(page);
  const write = (text: string): void => {
    if (!response.destroyed) response.write(text);
  };
  // Proxies that collect an answer before they pass it on are asked not to.
  response.status(200).set({ "Content-Type": "text/html; charset=utf-8", "X-Accel-Buffering": "no" });
  write(head);
  const { main: end } = await drawing;
  write(html`<div>${end}</div>`.text);
  response.end(tail);
}

/** RFC 9110 §15.4.4. Without a body: it would repeat an address that may hold a code. */
export function seeOther(response: Response, location: string): void {
  response.status(303).set("Location", location).end();
}
