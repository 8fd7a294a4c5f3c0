import type { ConnectSessionId, GrantId, RegistrationId, ServerId, SubscriptionId, SyncId } from "./id.ts";

/** A secret as it is stored: an envelope that opens only with the same owner and context. */
export type Sealed = string & { readonly sealed: unique symbol };

/** Whose data key seals: an organisation's (`o:<route>`), or a shared registration's (`s:<id>`). */
export type KeyOwner = `o:${string}` | `s:${string}`;

export type SecretKind =
  | "refresh-token"
  | "access-token"
  | "client-secret"
  | "authorization-code"
  | "code-verifier"
  | "change"
  | "webhook-secret"
  | "library-rights";

/**
 * What a secret belongs to. It is part of the associated data, so a record that was altered or moved does not open,
 * let alone get its token sent elsewhere (T15, T21). Never whether a token is primary or spare: that changes.
 */
export interface SealContext {
  readonly kind: SecretKind;
  readonly owner: KeyOwner;
  readonly record: GrantId | RegistrationId | ConnectSessionId | SyncId | SubscriptionId;
  readonly server: ServerId | undefined;
  /** Origin of the token endpoint, or of the receiver that a signature is for; sealed by digest. */
  readonly tokenOrigin: string;
  readonly consentGeneration: number;
  /** Which attempt brought it, for tokens; 0 otherwise. */
  readonly attempt: number;
}

/** Id of the data key that sealed it: named in every envelope. */
export const dataKeyOf = (sealed: Sealed): string => sealed.split(".", 2)[1] ?? "";
