import type { ClientSecret } from "./client.ts";
import { hours, type Instant } from "./instant.ts";

/**
 * How long the oldest of three secrets goes on: whoever makes a third while two are in use has replicas somewhere that still
 * know the first, and they should be found before they stop.
 */
export const THIRD_SECRET_MS = hours(24);

/** A client's secrets with a new one, newest first. Two count without an end in sight; of a third the older ones are told. */
export function withNewSecret(
  kept: readonly ClientSecret[],
  made: Pick<ClientSecret, "hmac" | "expiresAt">,
  now: Instant,
): readonly ClientSecret[] {
  const [second, third] = livingSecrets(kept, now);
  const newest: ClientSecret = { ...made, addedAt: now };
  if (second === undefined) return [newest];
  if (third === undefined) return [newest, second];
  return [
    newest,
    second,
    { ...third, expiresAt: Math.min(third.expiresAt ?? Infinity, now + THIRD_SECRET_MS) },
  ];
}

/** Names a secret, for as long as it is kept: the end of its first HMAC, which tells nobody anything of 256 random bits. */
export const secretId = ({ id, hmac }: ClientSecret): string => id ?? hmac.slice(-16);

export const livingSecrets = (kept: readonly ClientSecret[], now: Instant): readonly ClientSecret[] =>
  kept.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now);
