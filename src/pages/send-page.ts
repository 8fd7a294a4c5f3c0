import type { Response } from "express";
import type { Html } from "./html.ts";

/** Sends a page. Not by `send`, which adds an ETag: nothing here is to be kept anywhere. */
export function sendPage(response: Response, status: number, page: Html): void {
  response.status(status).set("Content-Type", "text/html; charset=utf-8").end(page.text);
}

/** RFC 9110 §15.4.4. Without a body: it would repeat an address that may hold a code. */
export function seeOther(response: Response, location: string): void {
  response.status(303).set("Location", location).end();
}
