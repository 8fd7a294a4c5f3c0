import { X509Certificate } from "node:crypto";
import type { TrustedCertificates } from "../domain/server.ts";

const BYTES_MAX = 64 * 1024;
const CERTIFICATES_MAX = 10;
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/**
 * Reads the certificate authorities that a firm names for one server: PEM (RFC 7468), one or several, intermediates among
 * them. Kept is a normal form without the comments that tools write between certificates.
 * @param now milliseconds; what has expired by then is refused
 * @returns a fault that continues the field's name to a sentence and repeats nothing of the text: a private key may be in it
 */
export function readCertificates(
  text: string,
  now: number,
): TrustedCertificates | { readonly fault: string } {
  if (text.length > BYTES_MAX)
    return { fault: "has more than 64 KiB: name the firm's own authorities alone" };
  const blocks = [...text.matchAll(BLOCK)];
  if (blocks.some(([, label]) => label?.includes("PRIVATE KEY")))
    return {
      fault: "holds a private key: give the certificate alone, and treat that key as known to others",
    };
  const pems = blocks.filter(([, label]) => label === "CERTIFICATE").map(([block]) => block);
  if (pems.length === 0)
    return { fault: "holds no certificate: it must be PEM, beginning with -----BEGIN CERTIFICATE-----" };
  if (pems.length > CERTIFICATES_MAX)
    return {
      fault: `holds more than ${CERTIFICATES_MAX} certificates: name the firm's own authorities alone`,
    };

  const certificates: X509Certificate[] = [];
  for (const [at, pem] of pems.entries()) {
    const which =
      pems.length === 1 ? "holds a certificate" : `holds a certificate (the ${at + 1}. of ${pems.length})`;
    const certificate = parse(pem);
    if (certificate === undefined) return { fault: `${which} that cannot be read` };
    if (certificate.validToDate.getTime() <= now)
      return { fault: `${which} that expired on ${certificate.validToDate.toISOString().slice(0, 10)}` };
    // A server that signed its own certificate is its own authority; another server's certificate is none.
    if (!certificate.ca && !certificate.checkIssued(certificate))
      return { fault: `${which} of a server, not of the authority that issued it: ask for the issuer's` };
    certificates.push(certificate);
  }
  return {
    pem: certificates.map((certificate) => certificate.toString().trim()).join("\n"),
    certificates: certificates.map((certificate) => ({
      subject: nameOf(certificate.subject),
      fingerprint: certificate.fingerprint256,
      expiresAt: certificate.validToDate.getTime(),
    })),
  };
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** The common name where there is one: for people, so one line of at most 100 characters that cannot steer a terminal. */
function nameOf(subject: string): string {
  const common = /^CN=(.+)$/m.exec(subject)?.[1];
  return (
    (common ?? subject)
      .replaceAll(/\p{C}+/gu, " ")
      .trim()
      .slice(0, 100) || "without a name"
  );
}
