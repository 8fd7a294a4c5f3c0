import type { Secret } from "../domain/secret.ts";

/** Control characters (C0, DEL, C1), line and paragraph separators, marks and overrides of direction, zero widths. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g;
/** So much of a text is looked at. */
const LOOKED_AT_MAX = 64 * 1024;

/** Foreign text on one line: nothing that moves a cursor or turns the reading direction, bounded. */
export function printable(text: string, lengthMax: number): string {
  const line = text
    .slice(0, LOOKED_AT_MAX)
    .toWellFormed()
    .replace(UNPRINTABLE, " ")
    .replaceAll(/ {2,}/g, " ")
    .trim();
  return line.length <= lengthMax ? line : `${line.slice(0, lengthMax - 1).toWellFormed()}…`;
}

/**
 * What people read of an HTML page; other text as it is. Entities stay as they were written. One pass that never looks
 * back: a page that opens and never closes costs no more than one that does.
 */
export function visibleText(body: string): string {
  const text = body.slice(0, LOOKED_AT_MAX);
  if (!/<[a-z!/]/i.test(text)) return text;
  const lower = text.toLowerCase();
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const open = text.indexOf("<", at);
    pieces.push(text.slice(at, open < 0 ? undefined : open));
    if (open < 0) break;
    const end = lower.startsWith("<!--", open)
      ? "-->"
      : HIDDEN.find((name) => lower.startsWith(`<${name}`, open))?.replace(/^/, "</");
    const close = end === undefined ? open : lower.indexOf(end, open);
    const after = close < 0 ? -1 : text.indexOf(">", close);
    if (after < 0) break;
    at = after + 1;
  }
  return pieces.join(" ");
}

/** Elements whose content nobody reads. */
const HIDDEN = ["script", "style"];

const SAID_MAX = 300;
const LONG_WORD = /[A-Za-z0-9_+/=.~-]{32,}/g;

/**
 * Foreign text for admins' eyes (never for a log): what people would read of it, printable and bounded. A server may echo
 * what it was sent, so a text in which one of `secrets` stands, however it is spelt, is not shown at all, and words that
 * could be tokens are left out.
 */
export function said(body: string, secrets: readonly Secret[]): string {
  const looked = body.slice(0, LOOKED_AT_MAX);
  if (secrets.some((secret) => spellings(secret.reveal()).some((spelling) => looked.includes(spelling))))
    return "(left out: it repeats a secret that was sent)";
  return printable(visibleText(looked), 4 * SAID_MAX)
    .replaceAll(LONG_WORD, "…")
    .slice(0, SAID_MAX)
    .toWellFormed();
}

/** As it is, or as somebody wrote it down: percent-encoded, in JSON, in hex, or anywhere inside a base64 text. */
function spellings(secret: string): readonly string[] {
  // Shorter ones are found everywhere by chance, and are no secrets.
  if (secret.length < 6) return [];
  const bytes = Buffer.from(secret, "utf8");
  const hex = bytes.toString("hex");
  const percent = hex.replaceAll(/../g, "%$&");
  const unicode = [...secret].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  const base64 = [0, 1, 2].map((before) => insideBase64(bytes, before));
  return [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ a: secret }).toString().slice(2),
    JSON.stringify(secret).slice(1, -1),
    ...[hex, percent].flatMap((text) => [text, text.toUpperCase()]),
    unicode,
    ...base64,
    ...base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}

/** The letters that are the secret's own when `before` bytes (mod 3) stand in front of it, as in a Basic header. */
function insideBase64(secret: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), secret]).toString("base64");
  return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + secret.length) * 8) / 6));
}
