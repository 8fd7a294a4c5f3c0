import type { OrganisationId, RegistrationId } from "./id.ts";
import type { Instant } from "./instant.ts";
import type { Sealed } from "./sealed.ts";

/** What an iManage knows of *us*: an entry under Control Center › Applications. */
export interface Registration {
  readonly v: 1;
  readonly id: RegistrationId;
  /** Undefined for a shared cloud registration, which belongs to no organisation and has its own data key. */
  readonly organisation: OrganisationId | undefined;
  readonly name: string;
  /** *Client ID* (*API Key* on older servers). */
  readonly clientId: string;
  /** Origin of the token endpoint to which the secrets are sealed, and the only one they are sent to (T10, T15). */
  readonly tokenOrigin: string;
  /** Up to two live ones while a firm changes its secret, newest first. */
  readonly secrets: readonly RegistrationSecret[];
  readonly generation: number;
  readonly createdAt: Instant;
}

export interface RegistrationSecret {
  /** *Client Secret* (*API Secret*), sealed to the token endpoint's origin. */
  readonly sealed: Sealed;
  readonly addedAt: Instant;
  /** *Client Secret Expires*, where the registration has a date. */
  readonly expiresAt: Instant | undefined;
}

/** The redirect URI that has to be registered, one per registration (design §2, T01). */
export const redirectUriOf = (publicBaseUrl: string, id: RegistrationId): string =>
  `${publicBaseUrl}/oauth2/callback/${id}`;
