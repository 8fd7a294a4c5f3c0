import type { ClientId, OrganisationId } from "../../domain/id.ts";
import type { Milliseconds } from "../../domain/instant.ts";

export interface IdempotencyStore {
  /**
   * Claims a key for a request. MUST be atomic: of two that come at once one gets `new`.
   * @param request anything that tells two requests apart; it is stored by digest.
   */
  claim(at: IdempotencyPlace, request: string, lifeMs: Milliseconds): Promise<IdempotencyClaim>;
  /** Keeps the answer for whoever asks again. */
  settle(at: IdempotencyPlace, answer: string): Promise<void>;
  /** Gives the key back: the request changed nothing. */
  giveBack(at: IdempotencyPlace): Promise<void>;
}

export interface IdempotencyPlace {
  /** Undefined: what is asked for concerns none. */
  readonly organisation: OrganisationId | undefined;
  readonly client: ClientId;
  readonly key: string;
}

export type IdempotencyClaim =
  | { readonly kind: "new" }
  | { readonly kind: "answered"; readonly answer: string }
  /** Somebody with the same key is at it. */
  | { readonly kind: "busy" }
  /** The key belongs to another request. */
  | { readonly kind: "conflict" };
