import { createHmac } from "node:crypto";
import type { ClientSecrets } from "../../src/broker/clients/ports.ts";
import type { ClientSecret } from "../../src/domain/client.ts";
import type { Instant } from "../../src/domain/instant.ts";
import { Secret } from "../../src/domain/secret.ts";

/** Secrets of a recognisable shape; anything else matches nothing, as the real ones have it. */
export class MemoryClientSecrets implements ClientSecrets {
  readonly primary = "rk-test";
  #made = 0;

  rootKeyOf(): string {
    return this.primary;
  }

  make(): Secret {
    return new Secret(`imb_sk_made-${++this.#made}`);
  }

  isWellFormed(candidate: Secret): boolean {
    return candidate.reveal().startsWith("imb_sk_");
  }

  hmac(secret: Secret): string {
    return createHmac("sha256", "a key of the tests").update(secret.reveal()).digest("base64url");
  }

  matches(candidate: Secret, secrets: readonly ClientSecret[], now: Instant): boolean {
    if (!this.isWellFormed(candidate)) return false;
    const live = secrets.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now);
    return live.some(({ hmac }) => hmac === this.hmac(candidate));
  }
}
