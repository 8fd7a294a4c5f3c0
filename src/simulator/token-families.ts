import type { Registration } from "./registrations.ts";
import type { Switches } from "./switches.ts";
import { fingerprint, newAccessToken, newRefreshToken } from "./tokens.ts";

/** All tokens that descend from one sign-in. */
export interface TokenFamily {
  id: string;
  customer_id: number;
  user_id: string;
  client_id: string;
  scope: string;
  created_at: number;
  /** Why no refresh token of the family works any more, and since when. */
  ended_at: number | null;
  ended_because: string | null;
  refreshes: number;
  refresh_tokens: RefreshToken[];
  access_tokens: AccessToken[];
}

export interface RefreshToken {
  value: string;
  issued_at: number;
  expires_at: number;
  superseded_at: number | null;
  /** How often it was presented at the token endpoint. */
  presented: number;
}

export interface AccessToken {
  value: string;
  issued_at: number;
  last_used_at: number;
  /** The inactivity timeout it was issued with (C). */
  idle_ms: number;
  ended_at: number | null;
}

export interface Issued {
  family: TokenFamily;
  access_token: string;
  /** null: the registration does not allow one. undefined: the refresh mode returns none. */
  refresh_token: string | null | undefined;
}

export type RefreshTokenState = "current" | "superseded" | "revoked" | "expired";

const DAY = 86_400_000;
/** Older tokens of a family are forgotten, or a long benchmark would keep them all. */
const SUPERSEDED_KEPT = 500;
const ACCESS_TOKENS_KEPT = 20;

export class TokenFamilies {
  readonly #families: TokenFamily[];
  readonly #switches: Switches;
  readonly #now: () => number;
  readonly #byRefreshToken = new Map<string, TokenFamily>();
  readonly #byAccessToken = new Map<string, TokenFamily>();
  readonly #byOwner = new Map<string, TokenFamily[]>();

  constructor(families: TokenFamily[], switches: Switches, now: () => number) {
    this.#families = families;
    this.#switches = switches;
    this.#now = now;
    for (const family of families) this.#remember(family);
  }

  /** What a redeemed code opens. */
  open(
    of: { customer_id: number; user_id: string; client_id: string; scope: string },
    registration: Registration,
  ): Issued {
    const family: TokenFamily = {
      ...of,
      id: `family_${this.#families.length + 1}`,
      created_at: this.#now(),
      ended_at: null,
      ended_because: null,
      refreshes: 0,
      refresh_tokens: [],
      access_tokens: [],
    };
    this.#families.push(family);
    this.#remember(family);

    const access_token = this.#addAccessToken(family, registration);
    if (!registration.allow_refresh_token) return { family, access_token, refresh_token: null };
    const expiresAt = this.#now() + registration.refresh_token_expiry_days * DAY;
    return { family, access_token, refresh_token: this.#addRefreshToken(family, expiresAt) };
  }

  /**
   * Spends a refresh token. Undefined when it is dead; what a strict server then does to the rest of the
   * family has been done.
   */
  refresh(value: string, registration: Registration): Issued | undefined {
    const family = this.#byRefreshToken.get(value);
    const token = family?.refresh_tokens.find((candidate) => candidate.value === value);
    if (family === undefined || token === undefined) return undefined;
    token.presented += 1;

    const state = this.refreshTokenState(family, token);
    if (state === "superseded" && this.#switches.refresh_mode === "strict") {
      // Reuse detection as RFC 9700 §4.14.2 describes it: two hold the token, so neither is trusted.
      this.end(family, "reuse_detected", "with_access_tokens");
      return undefined;
    }
    if (state !== "current" && !(state === "superseded" && this.#inLeeway(token))) return undefined;

    // One moment for the whole answer: what it brings is never older than what it takes the place of.
    const supersededAt = this.#now();
    family.refreshes += 1;
    if (this.#switches.old_access_token === "dies") this.#endAccessTokens(family);
    const access_token = this.#addAccessToken(family, registration);
    const extended =
      this.#switches.refresh_extends_life === "yes"
        ? this.#now() + registration.refresh_token_expiry_days * DAY
        : undefined;

    // A late second use inside the leeway gets the newest token again, and makes no third one.
    const current = state === "current" ? token : this.#current(family);
    switch (this.#switches.refresh_mode) {
      case "same":
      case "none":
        current.expires_at = extended ?? current.expires_at;
        return {
          family,
          access_token,
          refresh_token: this.#switches.refresh_mode === "same" ? current.value : undefined,
        };
      case "leeway":
      case "rotate":
      case "strict":
        if (state === "superseded") return { family, access_token, refresh_token: current.value };
        token.superseded_at = supersededAt;
        return {
          family,
          access_token,
          refresh_token: this.#addRefreshToken(family, extended ?? token.expires_at),
        };
    }
  }

  /** The family of a live access token; asking counts as use and starts the inactivity timeout anew (C). */
  use(accessToken: string): TokenFamily | undefined {
    const found = this.#findAccessToken(accessToken);
    if (found === undefined || !this.accessTokenIsLive(found.token)) return undefined;
    found.token.last_used_at = this.#now();
    return found.family;
  }

  endAccessToken(accessToken: string): TokenFamily | undefined {
    const found = this.#findAccessToken(accessToken);
    if (found === undefined) return undefined;
    found.token.ended_at ??= this.#now();
    return found.family;
  }

  end(family: TokenFamily, because: string, access: "with_access_tokens" | "refresh_only"): void {
    family.ended_at ??= this.#now();
    family.ended_because ??= because;
    if (access === "with_access_tokens") this.#endAccessTokens(family);
  }

  /** Ends what the same user gave the same application before, if this server does that. */
  endEarlier(of: { customer_id: number; user_id: string; client_id: string }, except?: TokenFamily): void {
    if (this.#switches.new_consent === "keeps") return;
    for (const family of this.#byOwner.get(ownerKey(of)) ?? []) {
      if (family !== except && family.ended_at === null) this.end(family, "new_consent", "refresh_only");
    }
  }

  /**
   * What restoring a backup does: all is as it was at that moment. Tokens issued since are unknown, those superseded or ended
   * since are good again.
   */
  rollBack(to: number): void {
    const since = (at: number | null): boolean => at !== null && at > to;
    for (const family of this.#families) {
      for (const token of family.refresh_tokens) {
        if (since(token.issued_at)) this.#byRefreshToken.delete(token.value);
        if (since(token.superseded_at)) token.superseded_at = null;
      }
      for (const token of family.access_tokens) {
        if (since(token.issued_at)) this.#byAccessToken.delete(token.value);
        if (since(token.ended_at)) token.ended_at = null;
      }
      family.refresh_tokens = family.refresh_tokens.filter((token) => !since(token.issued_at));
      family.access_tokens = family.access_tokens.filter((token) => !since(token.issued_at));
      if (since(family.ended_at)) {
        family.ended_at = null;
        family.ended_because = null;
      }
      // A consent given since is unknown with all its tokens; it stays in the list, where ids are counted.
      if (since(family.created_at)) this.end(family, "rolled_back", "with_access_tokens");
    }
  }

  /** By refresh or access token, alive or dead. */
  familyOf(token: string): TokenFamily | undefined {
    return this.#byRefreshToken.get(token) ?? this.#byAccessToken.get(token);
  }

  byId(id: string | null): TokenFamily | undefined {
    return this.#families.find((family) => family.id === id);
  }

  list(): readonly TokenFamily[] {
    return this.#families;
  }

  refreshTokenState(family: TokenFamily, token: RefreshToken): RefreshTokenState {
    if (family.ended_at !== null) return "revoked";
    if (token.expires_at <= this.#now()) return "expired";
    return token.superseded_at === null ? "current" : "superseded";
  }

  accessTokenIsLive(token: AccessToken): boolean {
    const now = this.#now();
    const absolute = this.#switches.access_token_absolute_minutes;
    return (
      token.ended_at === null &&
      now < token.last_used_at + token.idle_ms &&
      (absolute === null || now < token.issued_at + absolute * 60_000)
    );
  }

  /** Whether presenting this value now would bring new tokens. */
  isRefreshTokenLive(value: string): boolean {
    const family = this.#byRefreshToken.get(value);
    const token = family?.refresh_tokens.find((candidate) => candidate.value === value);
    if (family === undefined || token === undefined) return false;
    const state = this.refreshTokenState(family, token);
    return state === "current" || (state === "superseded" && this.#inLeeway(token));
  }

  isAccessTokenLive(value: string): boolean {
    const found = this.#findAccessToken(value);
    return found !== undefined && this.accessTokenIsLive(found.token);
  }

  /** Each family without its secrets: tokens appear as fingerprints. */
  truth() {
    return this.#families.map((family) => {
      const refresh_tokens = family.refresh_tokens.map((token) => ({
        fingerprint: fingerprint(token.value),
        state: this.refreshTokenState(family, token),
        live: this.isRefreshTokenLive(token.value),
        issued_at: iso(token.issued_at),
        superseded_at: iso(token.superseded_at),
        expires_at: iso(token.expires_at),
        presented: token.presented,
      }));
      return {
        id: family.id,
        customer_id: family.customer_id,
        user_id: family.user_id,
        client_id: family.client_id,
        scope: family.scope,
        created_at: iso(family.created_at),
        ended_at: iso(family.ended_at),
        ended_because: family.ended_because,
        refreshes: family.refreshes,
        can_refresh: refresh_tokens.some((token) => token.live),
        current_refresh_token: refresh_tokens.find((token) => token.state === "current")?.fingerprint ?? null,
        refresh_tokens,
        access_tokens: family.access_tokens.map((token) => ({
          fingerprint: fingerprint(token.value),
          live: this.accessTokenIsLive(token),
          issued_at: iso(token.issued_at),
          last_used_at: iso(token.last_used_at),
          idle_ends_at: iso(token.last_used_at + token.idle_ms),
          ended_at: iso(token.ended_at),
        })),
      };
    });
  }

  #inLeeway(token: RefreshToken): boolean {
    return (
      this.#switches.refresh_mode === "leeway" &&
      token.superseded_at !== null &&
      this.#now() < token.superseded_at + this.#switches.leeway_seconds * 1000
    );
  }

  #current(family: TokenFamily): RefreshToken {
    const current = family.refresh_tokens.findLast((token) => token.superseded_at === null);
    if (current === undefined) throw new Error(`${family.id} has no current refresh token`);
    return current;
  }

  #addRefreshToken(family: TokenFamily, expiresAt: number): string {
    const value = newRefreshToken();
    family.refresh_tokens.push({
      value,
      issued_at: this.#now(),
      expires_at: expiresAt,
      superseded_at: null,
      presented: 0,
    });
    this.#byRefreshToken.set(value, family);
    if (family.refresh_tokens.length > SUPERSEDED_KEPT) {
      this.#byRefreshToken.delete(family.refresh_tokens.shift()!.value);
    }
    return value;
  }

  #addAccessToken(family: TokenFamily, registration: Registration): string {
    const value = newAccessToken();
    family.access_tokens.push({
      value,
      issued_at: this.#now(),
      last_used_at: this.#now(),
      idle_ms: registration.access_token_expiry_minutes * 60_000,
      ended_at: null,
    });
    this.#byAccessToken.set(value, family);
    if (family.access_tokens.length > ACCESS_TOKENS_KEPT) {
      // Dead ones first: where old access tokens survive a refresh, a living one must not be forgotten.
      const dead = family.access_tokens.findIndex((token) => !this.accessTokenIsLive(token));
      if (dead >= 0) this.#byAccessToken.delete(family.access_tokens.splice(dead, 1)[0]!.value);
    }
    return value;
  }

  #endAccessTokens(family: TokenFamily): void {
    for (const token of family.access_tokens) token.ended_at ??= this.#now();
  }

  #findAccessToken(value: string): { family: TokenFamily; token: AccessToken } | undefined {
    const family = this.#byAccessToken.get(value);
    const token = family?.access_tokens.find((candidate) => candidate.value === value);
    return family === undefined || token === undefined ? undefined : { family, token };
  }

  #remember(family: TokenFamily): void {
    for (const token of family.refresh_tokens) this.#byRefreshToken.set(token.value, family);
    for (const token of family.access_tokens) this.#byAccessToken.set(token.value, family);
    const key = ownerKey(family);
    const owned = this.#byOwner.get(key);
    if (owned === undefined) this.#byOwner.set(key, [family]);
    else owned.push(family);
  }
}

const ownerKey = (of: { customer_id: number; user_id: string; client_id: string }): string =>
  JSON.stringify([of.customer_id, of.user_id, of.client_id]);

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
