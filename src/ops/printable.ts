/** Longest text a line of the log carries. What is longer says nothing more to an operator. */
const LENGTH_MAX = 200;
/** So much is looked at: cut later than redacted, or a token cut in two would pass as two short words. */
const LOOKED_AT_MAX = 4_096;

const REDACTED = "[redacted]";

/**
 * Foreign text as it may stand in one line: no control character (a forged line, ASVS 5.0 16.4.1), nothing that turns the
 * reading direction, nothing that looks like a token, bounded. The last line of defence only: what is logged is chosen
 * by allow-list, and secrets travel as `Secret`.
 */
export function printable(text: string, lengthMax: number = LENGTH_MAX): string {
  const line = redacted(text.slice(0, LOOKED_AT_MAX).toWellFormed().replace(UNPRINTABLE, " "));
  return line.length <= lengthMax ? line : `${line.slice(0, lengthMax - 1).toWellFormed()}…`;
}

/** Control characters (C0, DEL, C1), line and paragraph separators, marks and overrides of direction, zero widths. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Whether {@link printable} would leave `text` as it is. */
export const isPrintable = (text: string, lengthMax?: number): boolean => printable(text, lengthMax) === text;

function redacted(text: string): string {
  return text
    .replace(OUR_TOKEN, REDACTED)
    .replace(AUTHORIZATION, `$1 ${REDACTED}`)
    .replace(NAMED_SECRET, `$1${REDACTED}`)
    .replace(QUERY_SECRET, `$1${REDACTED}`)
    .replace(JWT, REDACTED)
    .replace(LONG_WORD, (word) => (isHarmless(word) ? word : REDACTED));
}

const OUR_TOKEN = /imb_[a-z]{2}_[A-Za-z0-9_-]*/g;
const AUTHORIZATION = /\b(Bearer|Basic)\s+[A-Za-z0-9+/_.~=-]{6,}/gi;
const NAMED_SECRET =
  /((?:access_token|refresh_token|id_token|client_secret|code_verifier|client_assertion|password)(?:=|["']\s*:\s*["']))[^\s"'&;]+/gi;
const QUERY_SECRET = /([?&](?:code|state|token|subject_token|completion)=)[^\s"'&;]+/gi;
const JWT = /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,3}/g;

/** Base64 and base64url of 30 bytes and more: every token, digest and key there is. */
const LONG_WORD = /[A-Za-z0-9_+/-]{40,}={0,2}/g;
const OUR_IDS = /(?:srv|reg|grt|cns|syn)_[0-9a-hjkmnp-tv-z]{36}|(?:cli|reg)_[0-9a-hjkmnp-tv-z]{26}/g;

/** An id of ours has 40 characters too, and an operator lives by it. A path or a long route has no random letters. */
function isHarmless(word: string): boolean {
  const rest = word.replace(OUR_IDS, " ");
  if (!/[A-Za-z0-9_+/-]{40,}/.test(rest)) return true;
  return rest.includes("/") && !(/[A-Z]/.test(rest) && /[a-z]/.test(rest) && /\d/.test(rest));
}
