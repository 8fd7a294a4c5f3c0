import type { IncomingHttpHeaders } from "node:http";
import { type Context, findRegistration } from "./context.ts";
import { OAuthRefusal } from "./oauth-refusal.ts";
import { type Registration, secretIsLive } from "./registrations.ts";

/**
 * The application that calls. Credentials go in the body (C); Basic by switch (?). Where they are optional,
 * `owner` (the application the presented token belongs to) stands in; credentials that are sent and wrong
 * are refused all the same.
 */
export function authenticateClient(
  in_: Context,
  headers: IncomingHttpHeaders,
  form: URLSearchParams,
  need: "required" | "optional",
  owner?: Registration,
): Registration {
  const basic = basicCredentials(headers.authorization);
  const body = { id: form.get("client_id"), secret: form.get("client_secret") };
  if (basic !== undefined && body.secret !== null)
    throw new OAuthRefusal(400, "invalid_request", "Client credentials came twice.");

  const method = in_.state.switches.client_authentication;
  if (basic !== undefined && method === "body")
    throw unauthenticated("Send client credentials in the body.", true);
  if (body.secret !== null && method === "basic") throw unauthenticated("Use HTTP Basic.");

  const { id, secret } = basic ?? body;
  if (need === "optional" && secret === null) {
    const named = id === null ? owner : findRegistration(in_, id);
    // No token we know and no client either: the refresh fails as a grant, not as a client.
    if (named === undefined) throw new OAuthRefusal(400, "invalid_grant", "The token is not valid.");
    return enabled(in_, named);
  }

  const registration = findRegistration(in_, id);
  const proven =
    registration !== undefined &&
    (registration.client_type === "public" ||
      (secret !== null && secretIsLive(registration, secret, in_.now())));
  if (!proven) throw unauthenticated("The client credentials are not valid.", basic !== undefined);
  return enabled(in_, registration);
}

function enabled(in_: Context, registration: Registration): Registration {
  if (registration.enable_application) return registration;
  const code = in_.state.switches.disabled_application;
  throw new OAuthRefusal(code === "invalid_client" ? 401 : 400, code, "The application is not enabled.");
}

/** RFC 6749 §5.2: 401, with WWW-Authenticate when the client came that way. */
const unauthenticated = (description: string, usedBasic = false): OAuthRefusal =>
  new OAuthRefusal(
    401,
    "invalid_client",
    description,
    usedBasic ? { "www-authenticate": 'Basic realm="iManage Work simulator"' } : {},
  );

/** RFC 6749 §2.3.1: both parts are form-encoded before they are joined. */
function basicCredentials(header: string | undefined): { id: string; secret: string } | undefined {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const [id = "", ...rest] = Buffer.from(encoded, "base64").toString("utf8").split(":");
  return { id: formDecoded(id), secret: formDecoded(rest.join(":")) };
}

const formDecoded = (text: string): string =>
  new URLSearchParams(`v=${text.replaceAll("&", "%26")}`).get("v") ?? "";
