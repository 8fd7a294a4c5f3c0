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

/** What people read of an HTML page; other text as it is. Entities stay as they were written. */
export function visibleText(body: string): string {
  const text = body.slice(0, LOOKED_AT_MAX);
  if (!/<\w[^>]*>/.test(text)) return text;
  return text
    .replaceAll(
      /<(script|style|head)\b[\s\S]*?<\/\1\s*>/gi,
      (whole) => /<title\b[^>]*>([^<]*)/i.exec(whole)?.[1] ?? " ",
    )
    .replaceAll(/<!--[\s\S]*?-->/g, " ")
    .replaceAll(/<[^>]*>?/g, " ");
}

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

function spellings(secret: string): readonly string[] {
  if (secret.length < 4) return [];
  const base64 = Buffer.from(secret, "utf8").toString("base64").replace(/.?=*$/, "");
  return [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ a: secret }).toString().slice(2),
    JSON.stringify(secret).slice(1, -1),
    base64,
    base64.replaceAll("+", "-").replaceAll("/", "_"),
    Buffer.from(secret, "utf8").toString("hex"),
  ];
}
