import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  discovery,
} from "openid-client";
import type { OperatorIdentity, OperatorIdentityProvider, SignInRequest } from "../broker/operators/ports.ts";
import { minutes, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { Secret } from "../domain/secret.ts";

export interface OpenIdOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** `groups`, for example; a list or one text. */
  readonly claim: string;
}

/** What the provider said of itself is asked again after this long: keys and addresses change. */
const DISCOVERY_MAX_AGE_MS = minutes(10);
const TIMEOUT_S = seconds(10) / 1_000;

/** A firm's identity provider by OpenID Connect Discovery. Its address is an operator's setting, so no tenant chooses it. */
export class OpenIdOperatorProvider implements OperatorIdentityProvider {
  readonly #options: OpenIdOptions;
  readonly #monotonicMs: () => number;
  #known: { readonly configuration: Promise<Configuration>; readonly at: number } | undefined;

  constructor(options: OpenIdOptions, monotonicMs: () => number = () => performance.now()) {
    this.#options = options;
    this.#monotonicMs = monotonicMs;
  }

  async authorizationUrl(
    { state, nonce, codeVerifier }: SignInRequest,
    redirectUri: string,
  ): Promise<string> {
    const url = buildAuthorizationUrl(await this.#configuration(), {
      redirect_uri: redirectUri,
      scope: "openid profile email",
      state,
      nonce,
      code_challenge: await calculatePKCECodeChallenge(codeVerifier.reveal()),
      code_challenge_method: "S256",
    });
    return url.href;
  }

  async redeem(callback: URL, { state, nonce, codeVerifier }: SignInRequest): Promise<OperatorIdentity> {
    const configuration = await this.#configuration();
    const tokens = await authorizationCodeGrant(configuration, callback, {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: codeVerifier.reveal(),
      idTokenExpected: true,
    }).catch(() => {
      // The error holds whole bodies, tokens included: it stays here (design §3.13).
      throw new Problem("operator_sign_in_failed");
    });
    const claims = tokens.claims();
    if (claims === undefined) throw new Problem("operator_sign_in_failed");
    const { iss, sub } = claims;
    const name = [claims.name, claims.preferred_username, claims.email].find(
      (text): text is string => typeof text === "string" && text !== "",
    );
    return { issuer: iss, subject: sub, name: name ?? sub, values: textsOf(claims[this.#options.claim]) };
  }

  #configuration(): Promise<Configuration> {
    const now = this.#monotonicMs();
    if (this.#known !== undefined && now - this.#known.at < DISCOVERY_MAX_AGE_MS)
      return this.#known.configuration;
    const { issuer, clientId, clientSecret } = this.#options;
    const insecure = issuer.startsWith("http://") ? [allowInsecureRequests] : [];
    const configuration = discovery(new URL(issuer), clientId, clientSecret.reveal(), undefined, {
      execute: insecure,
      timeout: TIMEOUT_S,
    }).catch(() => {
      // Not remembered: the next one asks again.
      this.#known = undefined;
      throw new Problem("operator_sign_in_unavailable", { retryAfterMs: seconds(10) });
    });
    this.#known = { configuration, at: now };
    return configuration;
  }
}

const textsOf = (claim: unknown): readonly string[] =>
  (Array.isArray(claim) ? claim : [claim]).filter((value): value is string => typeof value === "string");
