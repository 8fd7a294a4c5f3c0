import type { TokenAnswer } from "../domain/grant.ts";
import { hours, type Instant, type Milliseconds, minutes, seconds } from "../domain/instant.ts";
import type { TokenCallOutcome, TokenRefusal } from "../domain/refresh-failure.ts";
import { Secret } from "../domain/secret.ts";
import { boundedJson } from "../outbound/bounded-json.ts";
import { decodeBody } from "../outbound/decode-body.ts";
import { type RawAnswer, TOKEN_BODY_LIMIT_BYTES } from "../outbound/outbound.ts";
import { readRetryAfter } from "../outbound/retry-after.ts";

const BOUNDS = { depth: 8, members: 64 };
const TOKEN_MAX_CHARS = 16 * 1024;
const LIFE_DEFAULT_MS = minutes(5);
const LIFE_MIN_MS = seconds(30);
const LIFE_MAX_MS = hours(24);

/**
 * What a token endpoint's answer means. Pure. A strict server may have ended the token we presented when it answered, so
 * the answer is read for what it *holds* before it is judged for how it looks: a complete token string is kept, whatever
 * the status, and however damaged, cut or wrapped the body around it (F02).
 *
 * @param context.now our own wall clock, for a `Retry-After` date alone; the life of a token counts from receipt (F14).
 * @param context.presented the refresh token that was sent: an answer that merely echoes it brought nothing.
 */
export function readTokenAnswer(
  raw: RawAnswer,
  context: { readonly now: Instant; readonly presented?: Secret },
): TokenCallOutcome {
  const body = readBody(raw);
  const found = findTokens(raw, body, context.presented);
  if (found !== undefined) return { kind: "answered", ...found };

  // An error status is a verdict even when its body was cut. A cut success is no verdict: tokens may have been lost with it.
  if (raw.cutBy !== undefined && raw.status < 400)
    return { kind: "unknown", reason: raw.cutBy, elapsedMs: raw.elapsedMs };
  return {
    kind: "refused",
    refusal: judge(raw, errorCode(raw, body)),
    status: raw.status,
    retryAfterMs: readRetryAfter(raw.headers, context.now),
  };
}

/** The error code alone, in lower case, where the answer has one. */
export const readErrorCode = (raw: RawAnswer): string | undefined => errorCode(raw, readBody(raw));

interface Body {
  readonly text: string;
  /** The members of the JSON object it is, within bounds; none otherwise. */
  readonly members: Readonly<Record<string, unknown>>;
  /** A JSON object, and not one inside a JSON string. */
  readonly plain: boolean;
}

function readBody(raw: RawAnswer): Body {
  const text = decodeBody(raw, TOKEN_BODY_LIMIT_BYTES);
  if (raw.cutBy !== undefined) return { text, members: {}, plain: false };
  const parsed = boundedJson(text, BOUNDS)?.value;
  // JSON inside a JSON string, as some gateways make it.
  if (typeof parsed === "string") {
    return { text: parsed, members: membersOf(boundedJson(parsed, BOUNDS)?.value), plain: false };
  }
  return { text, members: membersOf(parsed), plain: true };
}

const membersOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};

function findTokens(
  raw: RawAnswer,
  { text, members, plain }: Body,
  presented: Secret | undefined,
): { readonly answer: TokenAnswer; readonly salvaged: boolean } | undefined {
  const access = usable(members.access_token) ?? findLiteral(text, "access_token");
  const refresh = usable(members.refresh_token) ?? findLiteral(text, "refresh_token");
  // A refusal may name a parameter of ours with a word of its own (`"refresh_token": "invalid"`). Only what looks like a
  // whole answer, both tokens, is taken for one then.
  if (raw.status >= 400 && (access === undefined || refresh === undefined)) return undefined;
  if (access === undefined && (refresh === undefined || refresh === presented?.reveal())) return undefined;

  const asStandard =
    raw.status === 200 &&
    plain &&
    access === members.access_token &&
    (refresh === undefined || refresh === members.refresh_token) &&
    typeof members.token_type === "string";
  return {
    answer: {
      accessToken: secret(access),
      refreshToken: secret(refresh),
      accessTokenLifeMs: readLife(members.expires_in),
      scope: typeof members.scope === "string" ? members.scope.slice(0, 1024) : undefined,
    },
    salvaged: !asStandard,
  };
}

const secret = (token: string | undefined): Secret | undefined =>
  token === undefined ? undefined : new Secret(token);

/** Tokens are printable ASCII (RFC 6749 §A.12, §A.17), and without spaces, since they travel in headers. */
const usable = (value: unknown): string | undefined =>
  typeof value === "string" && value.length <= TOKEN_MAX_CHARS && /^[\x21-\x7e]+$/.test(value)
    ? value
    : undefined;

/** The last complete and usable `"name": "…"` anywhere in a text; JSON, too, lets the last of equal names win. */
function findLiteral(text: string, name: string): string | undefined {
  const key = `"${name}"`;
  let found: string | undefined;
  for (let at = text.indexOf(key); at >= 0; at = text.indexOf(key, at + key.length)) {
    const colon = skipSpace(text, at + key.length);
    if (text[colon] !== ":") continue;
    const start = skipSpace(text, colon + 1);
    const end = text[start] === '"' ? endOfString(text, start) : undefined;
    if (end === undefined) continue;
    found = usable(boundedJson(text.slice(start, end), { depth: 0, members: 0 })?.value) ?? found;
  }
  return found;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t" || text[at] === "\n" || text[at] === "\r") at++;
  return at;
}

/** Behind the quote that ends the string which begins at `from`; undefined where it was cut. */
function endOfString(text: string, from: number): number | undefined {
  for (let at = from + 1; at < text.length && at - from <= 6 * TOKEN_MAX_CHARS + 1; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at + 1;
  }
  return undefined;
}

/** `expires_in` is a hint: on iManage it names an inactivity timeout (facts page, C). */
function readLife(expiresIn: unknown): Milliseconds {
  const given =
    typeof expiresIn === "string" && /^\d{1,15}(\.\d+)?$/.test(expiresIn) ? Number(expiresIn) : expiresIn;
  if (typeof given !== "number" || !(given > 0)) return LIFE_DEFAULT_MS;
  return Math.round(Math.min(LIFE_MAX_MS, Math.max(LIFE_MIN_MS, seconds(given))));
}

const CODE = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}$/;

/**
 * The error *code*, in lower case: RFC 6749 §5.2, iManage's envelope, or the challenge of a 401 (RFC 6750 §3). Never
 * `error_description` or `code_message`: those are prose.
 */
function errorCode({ status, headers }: RawAnswer, { members }: Body): string | undefined {
  const { error } = members;
  const inBody = typeof error === "string" ? error : membersOf(error).code;
  if (typeof inBody === "string" && CODE.test(inBody)) return inBody.toLowerCase();
  const challenge = status === 401 ? headers["www-authenticate"] : undefined;
  return challenge === undefined
    ? undefined
    : /[\s,]error="?([a-z_]{1,64})"?/i.exec(challenge)?.[1]?.toLowerCase();
}

/** The table of refusals. Its rows stand one by one in `test/imanage/read-token-answer.test.ts`. */
function judge({ status, headers }: RawAnswer, code: string | undefined): TokenRefusal {
  if (status === 429) return "throttled";
  if (status >= 500) return "upstream";
  if (code === "invalid_client" || code === "unauthorized_client") return "invalid_client";
  if (status === 403) return "forbidden";
  if (code === "invalid_grant") return "invalid_grant";
  if (code === "server_error" || code === "temporarily_unavailable") return "upstream";
  if (status === 401) {
    // A proxy's sign-on stands in front of iManage and asks for its own; that says nothing about our secret.
    return /\b(negotiate|ntlm|kerberos)\b/i.test(headers["www-authenticate"] ?? "")
      ? "upstream"
      : "invalid_client";
  }
  return code === undefined ? "upstream" : "configuration";
}
