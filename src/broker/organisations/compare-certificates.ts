import type { TrustedCertificates } from "../../domain/server.ts";
import type { DesiredServer } from "./desired.ts";
import type { Compared } from "./plan.ts";

/**
 * A server's own authorities, wanted and stored, by fingerprint: the same certificates in another order or file are the
 * same. `isNew`: there is no server yet, so nothing is told where nothing is wanted.
 */
export function compareCertificates(
  stored: TrustedCertificates | undefined,
  desired: DesiredServer["trustedCertificates"],
  isNew: boolean,
): Compared[] {
  if (desired === "as stored") return [];
  const [before, after] = [textOf(stored), textOf(desired)];
  return before === after ? [] : [["ca_certificates", isNew ? undefined : before, after]];
}

function textOf(trusted: TrustedCertificates | undefined): string {
  const each = (trusted?.certificates ?? []).map(
    ({ subject, fingerprint, expiresAt }) =>
      `${subject} until ${new Date(expiresAt).toISOString().slice(0, 10)}, SHA-256 ${fingerprint}`,
  );
  return each.length === 0 ? "public authorities alone" : each.sort().join("; ");
}
