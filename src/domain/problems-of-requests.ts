import { kind, type ProblemKind } from "./problem-kind.ts";

/** What is wrong with a request, or with the client that sends it. */
export const REQUEST_PROBLEMS = {
  invalid_request: kind(
    400,
    "client",
    "The request is malformed.",
    "Mend the fields that are named and send it again.",
    "invalid_request",
  ),
  unsupported_grant_type: kind(
    400,
    "client",
    "This grant type is not offered here.",
    "Use client_credentials or urn:ietf:params:oauth:grant-type:token-exchange.",
    "unsupported_grant_type",
  ),
  invalid_client: kind(
    401,
    "client",
    "The client is not known or its proof does not fit.",
    "Check the client id, and its secret or key; a new secret is made with the cli. The operator's log says under this request_id which look failed.",
    "invalid_client",
  ),
  proof_refused_for_now: kind(
    429,
    "time",
    "Too many proofs of this client that did not fit came from this address.",
    "Wait as long as Retry-After says; the same client at another address is not stopped. Then send the right secret or key.",
    "temporarily_unavailable",
  ),
  client_keys_unavailable: kind(
    503,
    "time",
    "The address where this client publishes its keys does not answer.",
    "Try again. If it lasts, see that the client's jwks_uri can be reached from the broker; its log says what happened.",
    "temporarily_unavailable",
  ),
  user_assertion_refused: kind(
    400,
    "client",
    "The assertion about the user does not count here.",
    "The detail says which look failed. Get a new one from the organisation's identity provider, for a registered audience; the operator's identity_provider says what is taken.",
    "invalid_request",
  ),
  identity_provider_unavailable: kind(
    503,
    "time",
    "The keys of the organisation's identity provider cannot be read.",
    "Try again. If it lasts, see that its address can be reached from the broker; its log says what happened.",
    "temporarily_unavailable",
  ),
  not_found: kind(
    404,
    "client",
    "There is nothing here for this client.",
    "Check the id, and that a policy names this client for the organisation.",
    "invalid_target",
  ),
  not_allowed: kind(
    403,
    "client",
    "A policy does not allow this client to do this.",
    "Ask the operator to add the action to the client's policy.",
    "unauthorized_client",
  ),
  idempotency_conflict: kind(
    409,
    "client",
    "This Idempotency-Key was used with another request.",
    "Send a new key with a new request.",
  ),
  configuration_refused: kind(
    409,
    "client",
    "What was asked for does not go with what is there.",
    "Read the refusals: each says what stands in the way. A dry run tells them beforehand.",
  ),
  grant_budget_exceeded: kind(
    429,
    "time",
    "This client has had tokens of as many different authorisations within an hour as its policy allows.",
    "Wait as long as Retry-After says; those it had within the hour are served. If it needs more, the operator raises grants_per_hour; if nobody knows why, the operator looks at what this client does.",
    "temporarily_unavailable",
  ),
  rate_limited: kind(
    429,
    "time",
    "This client asks more often than its policy allows.",
    "Wait as long as Retry-After says.",
    "temporarily_unavailable",
  ),
  return_url_not_registered: kind(
    400,
    "client",
    "The return URL is not exactly one of the client's registered URLs.",
    "Register the URL letter by letter, or send the registered one.",
  ),

  configuration_conflict: kind(
    409,
    "client",
    "Somebody else changed the same settings at the same time.",
    "Look at them as they are now, and send the change again if it is still wanted: what it has done already is not done twice.",
  ),
} as const satisfies Record<string, ProblemKind>;
