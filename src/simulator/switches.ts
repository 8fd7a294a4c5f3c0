import { z } from "zod";

/**
 * Every question the public sources leave open is a switch, and its default is the answer that hurts a
 * client most. A default that is not the worst case says why. The class in brackets is that of the fact
 * behind it: C confirmed, 1 seen in one client, I inferred, ? unknown.
 */
export const switchesSchema = z.strictObject({
  refresh_mode: z
    .enum(["strict", "rotate", "leeway", "same", "none"])
    .default("strict")
    .describe(
      "[?] What a refresh does to the refresh token. strict: a new one, and presenting a superseded one ends the whole family. rotate: a new one, the old one dies. leeway: the old one answers with the newest token for leeway_seconds, then dies. same: the same one comes back. none: the answer has no refresh_token and the old one goes on.",
    ),
  leeway_seconds: z
    .int()
    .nonnegative()
    .default(10)
    .describe("[?] How long a superseded refresh token still works when refresh_mode is leeway."),
  refresh_extends_life: z
    .enum(["no", "yes"])
    .default("no")
    .describe("[?] Whether a refresh starts Refresh Token Expiry anew."),
  old_access_token: z
    .enum(["dies", "survives"])
    .default("dies")
    .describe("[?] What a refresh does to the access tokens issued before."),
  new_consent: z
    .enum(["ends_earlier_refresh_token", "keeps"])
    .default("ends_earlier_refresh_token")
    .describe(
      "[?] What a new authorization does to earlier refresh tokens of the same user and application. Access tokens already issued run out by themselves.",
    ),
  new_consent_ends_at: z
    .enum(["redemption", "sign_in"])
    .default("redemption")
    .describe(
      "[?] When it does so. Not the worst case: until the code is redeemed nobody has anything that could replace the earlier token.",
    ),
  refresh_token_when_off: z
    .enum(["null", "absent"])
    .default("null")
    .describe(
      "[C: null or absent] How the token answer shows that Allow Refresh Token is off. null, because strict OAuth libraries refuse it.",
    ),
  client_authentication: z
    .enum(["body", "basic", "either"])
    .default("body")
    .describe("[C: body; Basic: ?] Where client credentials are accepted."),
  refresh_client_authentication: z
    .enum(["required", "optional"])
    .default("required")
    .describe("[C: two of three clients send none] Whether a refresh needs client credentials."),
  revoke_client_authentication: z
    .enum(["optional", "required"])
    .default("optional")
    .describe(
      "[1] Whether revoke-token needs client credentials. Not the worst case: the one client seen sends the token alone.",
    ),
  disabled_application: z
    .enum(["invalid_client", "unauthorized_client", "invalid_grant"])
    .default("invalid_client")
    .describe(
      "[?] What the token endpoint answers while Enable Application is off. invalid_grant is worse still, and available: it looks like a dead grant.",
    ),
  pkce: z
    .enum(["checked", "enforced", "ignored"])
    .default("checked")
    .describe(
      "[1, enforcement ?] checked: verified when a challenge was sent. enforced: a challenge must be sent. ignored: neither.",
    ),
  work_token_grant_expiry_seconds: z
    .number()
    .positive()
    .default(30)
    .describe(
      "[C] Work Token Grant Expiry: an authorization code older than this is refused with 403. Vendors ask firms for at least 30.",
    ),
  access_token_absolute_minutes: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe("[C: may be set] Absolute life of an access token on top of the inactivity timeout."),
  expires_in: z
    .union([z.literal("registration"), z.number()])
    .default("registration")
    .describe("[C: a hint] What expires_in says: the registration's Access Token Expiry, or this number."),
  error_shape: z
    .enum(["rfc6749", "imanage", "html", "empty"])
    .default("rfc6749")
    .describe(
      "[?] Body of a token endpoint error. Not the worst case: the other shapes lose the error code, and each deserves its own test.",
    ),
  iss: z
    .enum(["absent", "sent", "wrong"])
    .default("absent")
    .describe("[?] Whether the authorization response carries iss (RFC 9207)."),
  silent_sso: z
    .enum(["off", "on"])
    .default("off")
    .describe(
      "[I] Whether a browser with an iManage session is sent back at once, without a consent page. Not the worst case for security: turn it on to test that the one who finishes is the one who started.",
    ),
  revoke: z
    .enum(["token", "family"])
    .default("token")
    .describe("[1] What revoke-token ends: only the access token presented, or its refresh token too."),
  revoke_accepts_refresh_token: z
    .enum(["no", "yes"])
    .default("no")
    .describe(
      "[?] Whether a refresh token may be presented to revoke-token. no answers 200 and does nothing.",
    ),
  revoke_accepts_expired_access_token: z
    .enum(["no", "yes"])
    .default("no")
    .describe(
      "[?] Whether an access token that has expired still ends its refresh token, where revoke is family. no answers 200 and does nothing.",
    ),
  bearer_header: z
    .enum(["refused", "accepted"])
    .default("refused")
    .describe("[1] Whether Authorization: Bearer works besides X-Auth-Token."),
  unauthenticated_discovery: z
    .enum(["200", "401"])
    .default("200")
    .describe(
      "[?] What GET /api answers without a live token. 200 with auth_status unauthenticated fools whoever reads the status alone.",
    ),
  discovery_shape: z
    .enum(["imanage", "bare", "html", "not_found"])
    .default("imanage")
    .describe(
      "[C: captured] What GET /api looks like. bare: JSON without data. html: a page of something in front of iManage. Not the worst case: with any other value nothing works.",
    ),
  dms_version: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("[C: 10.2.3812 on the cloud] Which version GET /api tells; null: the world's own."),
  oauth_capability: z
    .enum(["listed", "missing"])
    .default("listed")
    .describe(
      "[C: listed] Whether capabilities hold oauth. Not the worst case: where it is missing OAuth is not there.",
    ),
  authorize_errors: z
    .enum(["pages", "one_page", "after_sign_in"])
    .default("pages")
    .describe(
      "[?] What an unknown Client ID and an unregistered Redirect URL get. pages: a page each. one_page: the same for both. after_sign_in: the sign-in page first. Not the worst case: the others tell less, and each deserves its own test.",
    ),
  not_in_access: z
    .enum(["page", "access_denied", "api_403"])
    .default("page")
    .describe(
      "[?] What a user meets who is not in Access. page: iManage's own, and the application never hears of it. access_denied: sent back with that error. api_403: he gets tokens, and every call answers 403.",
    ),
  clock_ahead_seconds: z
    .number()
    .default(0)
    .describe(
      "[I] How far the Date header is ahead of time; negative: behind. 0, since any other figure would be invented.",
    ),
  document_order: z
    .enum(["by_number", "by_edit_date"])
    .default("by_number")
    .describe("[?] Order of document lists. by_number tells a reader nothing about dates."),
  change_events_page: z
    .int()
    .positive()
    .default(100)
    .describe("[?] Change events per answer; more than that sets overflow."),
  change_events: z
    .enum(["there", "404", "405", "501"])
    .default("there")
    .describe(
      "[second-hand] Whether the server has a change feed; what it answers if not. Not the worst case: without the feed little else of it can be tested.",
    ),
  change_events_kept: z
    .int()
    .nonnegative()
    .nullable()
    .default(null)
    .describe("[?] How many change events are kept. All, since any figure would be invented."),
  change_events_kept_seconds: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe("[?] How long a change event is kept. For ever, since any figure would be invented."),
  change_events_expired: z
    .enum(["400", "410", "silent"])
    .default("400")
    .describe(
      "[?] What a cursor gets that is older than what is kept. 400 does not tell it from any other mistake. silent: the oldest events that are kept, without a word on the gap. Not the worst case: only a full scan would ever notice.",
    ),
  change_events_expired_body: z
    .enum(["imanage", "html", "empty"])
    .default("imanage")
    .describe("[?] Body of that refusal. Not the worst case: the status is what counts."),
  change_events_private: z
    .enum(["told", "hidden"])
    .default("told")
    .describe(
      "[?] Whether the feed tells of documents that the caller may not see. told: their ids come, and loading one answers 404 as if it were deleted.",
    ),
  change_events_root: z
    .enum(["told", "missing"])
    .default("told")
    .describe(
      "[?] Whether an event says in which workspace its object lies, a workspace in itself. missing: root_id is null. Not the worst case: missing deserves a test.",
    ),
  documents_search: z
    .enum(["by_filter", "ignores_ids", "not_found"])
    .default("by_filter")
    .describe(
      "[?] Whether POST documents/search finds documents by filters.document_number or filters.id. ignores_ids: they are ignored, and any documents come. Not the worst case: the others deserve a test each.",
    ),
  workspace_filter: z
    .enum(["ignored", "works"])
    .default("ignored")
    .describe(
      "[?] Whether lists of documents heed workspace_id. ignored: documents of every workspace come.",
    ),
  container_lists: z
    .enum(["data", "results"])
    .default("data")
    .describe(
      "[C: children; ?: workspaces] Envelope of the list of workspaces. data: {data: []}, as children come. results: {data: {results: []}}, as documents come.",
    ),
  security_shape: z
    .enum(["trustees", "object"])
    .default("trustees")
    .describe(
      "[?] What a document's security looks like. trustees: {data: []} of them. object: {data: {default_security, trustees: []}}.",
    ),
  edit_date_of_moves_and_security: z
    .enum(["kept", "set"])
    .default("kept")
    .describe(
      "[?] Whether a document's edit_date changes when it is moved or its security changes. kept: only the feed, or a full scan, tells of it.",
    ),
  new_version: z
    .enum(["replaces", "adds"])
    .default("replaces")
    .describe(
      "[?] What a new version does to the older one. replaces: it leaves the lists without a change event of its own; it can still be read by its id. adds: both are listed.",
    ),
  missing_resources: z
    .array(z.string())
    .nullable()
    .default(null)
    .describe(
      "[?] Resources that this server does not have, by their path below the library, such as documents/search; they answer 404. Not the worst case: each is there.",
    ),
  concurrent_calls: z
    .strictObject({ calls: z.int().positive(), status: z.enum(["429", "503"]).default("429") })
    .nullable()
    .default(null)
    .describe(
      "[?] How many calls of the API the server takes at once, and what one too many is answered, without a word on when to return. Off, since any figure would be invented.",
    ),
  rate_limit: z
    .strictObject({
      requests: z.int().positive(),
      window_seconds: z.number().positive(),
      header: z
        .enum(["x-ratelimit-retryafter", "retry-after", "retry-after-date", "none"])
        .default("x-ratelimit-retryafter"),
    })
    .nullable()
    .default(null)
    .describe(
      "[C: headers; figures unpublished] Requests per window for one application and customer, and the header of the 429. Off, since any figure would be invented.",
    ),
  aborted_before_acting: z
    .enum(["not_acted_on", "acted_on"])
    .default("not_acted_on")
    .describe(
      "[?] Whether a request whose client hung up before the server acted is acted on. Not the worst case: acting on it makes every fault before acting one after acting.",
    ),
});

export type Switches = z.output<typeof switchesSchema>;

export const defaultSwitches = (): Switches => switchesSchema.parse({});

/** Parsed as a whole: a partial schema would let zod fill the defaults of fields nobody named. */
export const withSwitches = (current: Switches, change: Partial<Switches>): Switches =>
  switchesSchema.parse({ ...current, ...change });
