import { X509Certificate } from "node:crypto";
import ipaddr from "ipaddr.js";
import type { ClientCertificates, PresentedCertificate } from "../broker/clients/ports.ts";
import type {
  CertificateFault,
  CertificateName,
  RegisteredCertificate,
} from "../domain/client-certificate.ts";
import { canonicalName } from "../domain/distinguished-name.ts";
import type { Instant } from "../domain/instant.ts";

const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_USAGE = "2.5.29.37.0";
const RSA_BITS_MIN = 2_048;

/** Whoever issued certificates to clients. Replaced as a whole when the operator's file changes. */
export class ClientAuthorities {
  #known: readonly X509Certificate[] = [];

  /** @throws where a certificate in it cannot be read, or there is none */
  replace(pem: string): void {
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length === 0) throw new RangeError("no certificate");
    this.#known = blocks.map((block) => new X509Certificate(block));
  }

  /**
   * Each certificate of the file is an anchor: it must itself have issued what is presented. What a proxy sends along as the
   * way to one (`Client-Cert-Chain`) is therefore never needed, and an intermediate that issues stands in the file.
   */
  issued(certificate: X509Certificate, now: Instant): boolean {
    return this.#known.some(
      (authority) =>
        authority.ca &&
        isWithin(authority, now) &&
        certificate.checkIssued(authority) &&
        certificate.verify(authority.publicKey),
    );
  }
}

export function makeClientCertificates(authorities: ClientAuthorities): ClientCertificates {
  return {
    judge(presented, registered, now) {
      const certificate = parse(presented);
      if (certificate === undefined) return "certificate_unreadable";
      try {
        return faultOf(authorities, certificate, presented, registered, now);
      } catch {
        // Parts are read when they are asked for: a key of an unknown kind, for example.
        return "certificate_unreadable";
      }
    },
  };
}

function faultOf(
  authorities: ClientAuthorities,
  certificate: X509Certificate,
  { thumbprint, verified }: PresentedCertificate,
  registered: RegisteredCertificate,
  now: Instant,
): CertificateFault | undefined {
  const fault = ofItself(certificate, now);
  if (fault !== undefined) return fault;
  if (registered.by === "thumbprints")
    return registered.values.includes(thumbprint) ? undefined : "certificate_not_registered";
  if (!verified && !authorities.issued(certificate, now)) return "certificate_authority_unknown";
  return names(certificate, registered) ? undefined : "certificate_not_registered";
}

function parse({ der }: PresentedCertificate): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    // PEM would be read too, and a prefix of what was sent: what is judged is what the thumbprint is of.
    return certificate.raw.equals(der) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

function ofItself(certificate: X509Certificate, now: Instant): CertificateFault | undefined {
  const { from, to } = validityOf(certificate);
  // A month 99 compares with nothing.
  if (Number.isNaN(from) || Number.isNaN(to)) return "certificate_unreadable";
  if (from > now) return "certificate_not_yet_valid";
  if (to <= now) return "certificate_expired";
  // Absent: any use (RFC 5280 §4.2.1.12).
  const usages: readonly string[] | undefined = certificate.keyUsage;
  if (usages !== undefined && !usages.includes(CLIENT_AUTH) && !usages.includes(ANY_USAGE))
    return "certificate_not_for_clients";
  const { asymmetricKeyType: type, asymmetricKeyDetails: key } = certificate.publicKey;
  const short = type?.startsWith("rsa") === true && (key?.modulusLength ?? 0) < RSA_BITS_MIN;
  return short || /md5|sha-?1\b/i.test(certificate.signatureAlgorithm ?? "") ? "certificate_weak" : undefined;
}

/**
 * NaN for what is no time. From the text (`Nov 22 09:00:00 2026 GMT`, or `Bad time value`): where there is no such month, the dates that
 * Node 26 gives are now and then those of whatever lay in memory.
 */
const validityOf = ({
  validFrom,
  validTo,
}: X509Certificate): { readonly from: Instant; readonly to: Instant } => ({
  from: Date.parse(validFrom),
  to: Date.parse(validTo),
});

function isWithin(certificate: X509Certificate, now: Instant): boolean {
  const { from, to } = validityOf(certificate);
  return from <= now && now < to;
}

function names(
  certificate: X509Certificate,
  registered: Extract<RegisteredCertificate, { readonly by: CertificateName }>,
): boolean {
  const { by, value } = registered;
  if (by === "subject_dn") {
    // Node tells it a line an RDN, in the certificate's order; RFC 4514 begins with the last.
    const told = (certificate.subject ?? "").split("\n").reverse().join(",");
    const name = canonicalName(told);
    return name !== undefined && name === canonicalName(value);
  }
  const [kind, same] = ALTERNATIVES[by];
  return alternativeNames(certificate.subjectAltName).some(([of, name]) => of === kind && same(name, value));
}

const letterByLetter = (a: string, b: string): boolean => a === b;

const ALTERNATIVES: Readonly<
  Record<
    Exclude<CertificateName, "subject_dn">,
    readonly [kind: string, same: (a: string, b: string) => boolean]
  >
> = {
  san_dns: ["DNS", (a, b) => a.toLowerCase() === b.toLowerCase()],
  san_uri: ["URI", letterByLetter],
  san_email: ["email", letterByLetter],
  san_ip: [
    "IP Address",
    (a, b) =>
      ipaddr.isValid(a) && ipaddr.isValid(b) && ipaddr.parse(a).toString() === ipaddr.parse(b).toString(),
  ],
};

/** Node's one line of them. A name with anything odd in it stands as a JSON string, so that it cannot look like two. */
function alternativeNames(text: string | undefined): [kind: string, name: string][] {
  const found: [string, string][] = [];
  const one = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)/y;
  while (text !== undefined && one.lastIndex < text.length) {
    const match = one.exec(text);
    if (match === null) return [];
    const [, kind, name] = match as unknown as [string, string, string];
    found.push([kind, name.startsWith('"') ? String(JSON.parse(name)) : name]);
  }
  return found;
}
