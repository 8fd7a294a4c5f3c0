import type { RegisteredCertificate } from "./client-certificate.ts";
import type { ClientKeys } from "./client-keys.ts";
import type { ClientId } from "./id.ts";
import type { Instant } from "./instant.ts";
import type { TokenEncryption } from "./token-encryption.ts";

/** A downstream app that asks for tokens. It knows only organisations that a policy names. */
export interface Client {
  readonly v: 1;
  readonly id: ClientId;
  /** Stable name for configuration files; unique among clients. */
  readonly name: string;
  readonly displayName: string;
  /** Missing: `app`. Settable by file and CLI alone: nobody makes himself an operator through the interface he calls. */
  readonly role?: ClientRole;
  readonly secrets: readonly ClientSecret[];
  /** By what it signs its assertions (RFC 7523). Missing: it proves itself otherwise. */
  readonly keys?: ClientKeys;
  /** To what its iManage tokens are encrypted on their way to it. Missing: to nothing. */
  readonly tokenEncryption?: TokenEncryption;
  /** By what its certificate is known (RFC 8705). Missing: it proves itself otherwise. */
  readonly certificate?: RegisteredCertificate;
  /** Where a browser may be sent back to, compared letter by letter (T06). */
  readonly returnUrls: readonly string[];
  /** Stopped: no token, at once, everywhere. */
  readonly state: "active" | "stopped";
  /** Raised by every change of secrets, keys, certificate or state: broker tokens of an older generation are void. */
  readonly generation: number;
  readonly createdAt: Instant;
}

/** `operator`: manages clients and policies, and what concerns every organisation, as the operator's own programs do. */
export type ClientRole = "app" | "operator";

/** Whether a client may do what an operator does, in every organisation. No policy gives this. */
export const mayOperate = (client: Pick<Client, "role" | "state">): boolean =>
  client.role === "operator" && client.state === "active";

export interface ClientSecret {
  /** HMAC-SHA-256 of the secret under a key of the root keyset, base64url: a store's reader learns nothing (T35). */
  readonly hmac: string;
  /** By which it is named, where its HMAC is another one by now. Missing: the end of its HMAC. */
  readonly id?: string;
  readonly addedAt: Instant;
  readonly expiresAt: Instant | undefined;
}
