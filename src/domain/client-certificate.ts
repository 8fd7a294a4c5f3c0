/**
 * By what a client's certificate is known (RFC 8705 §2): one name that a certificate authority vouches for, or the
 * certificates themselves, whoever made them.
 */
export type RegisteredCertificate =
  | { readonly by: CertificateName; readonly value: string }
  /** SHA-256 of the certificates, base64url: `x5t#S256`. Two while one replaces the other. */
  | { readonly by: "thumbprints"; readonly values: readonly string[] };

export const CERTIFICATE_NAMES = ["subject_dn", "san_dns", "san_uri", "san_ip", "san_email"] as const;
export type CertificateName = (typeof CERTIFICATE_NAMES)[number];

/** Why a certificate proves nothing. Logged; whoever presents one is told the same in every case. */
export type CertificateFault =
  | "certificate_unreadable"
  | "certificate_not_yet_valid"
  | "certificate_expired"
  | "certificate_not_for_clients"
  | "certificate_weak"
  | "certificate_authority_unknown"
  | "certificate_not_registered";

/** Spelled as tools print it (`AB:CD:…`, plain hex) or as RFC 8705 does. Undefined: not the SHA-256 of anything. */
export function readThumbprint(text: string): string | undefined {
  const hex = text.replaceAll(":", "");
  if (/^[0-9a-f]{64}$/i.test(hex)) {
    const bytes = hex.match(/../g)!.map((pair) => Number.parseInt(pair, 16));
    return btoa(String.fromCharCode(...bytes))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replace("=", "");
  }
  return /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(text) ? text : undefined;
}
