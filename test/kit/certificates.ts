import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority extends Issued {
  readonly name: string;
  readonly privateKey: KeyObject;
}

/**
 * Certificates made in memory, so that tests need neither openssl nor files that expire. X.509 v3 (RFC 5280 §4.1) with
 * P-256 keys: just enough DER to be signed. Signed by itself, or by another authority as an intermediate.
 */
export function makeAuthority(name: string, by?: Authority): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    name,
    privateKey,
    key: pem(privateKey),
    certificate: makeCertificate({
      subject: name,
      issuer: by?.name ?? name,
      publicKey,
      signedBy: by?.privateKey ?? privateKey,
      ca: true,
    }),
  };
}

/** Signed by another authority: the certificate between a root and a server's own. */
export function makeIntermediate(by: Authority, name: string): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    name,
    privateKey,
    key: pem(privateKey),
    certificate: makeCertificate({
      subject: name,
      issuer: by.name,
      publicKey,
      signedBy: by.privateKey,
      ca: true,
    }),
  };
}

export function issue(
  by: Authority | "self",
  of: {
    /** Host names and addresses; `mailto:…` is an e-mail address, anything else with a colon a URI. */
    readonly hosts: readonly string[];
    readonly from?: number;
    readonly until?: number;
    /** The common name, or parts of a name as they stand in the certificate: `[["O", "Firm"], ["CN", "app"]]`. */
    readonly subject?: string | readonly (readonly [type: keyof typeof TYPES, value: string])[];
    /** What its key may be used for. Undefined: anything. */
    readonly usage?: keyof typeof USAGES;
    readonly keys?: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  },
): Issued {
  const { privateKey, publicKey } = of.keys ?? generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = of.subject ?? of.hosts[0] ?? "none";
  const issuer = by === "self" ? { name: subject, privateKey } : by;
  return {
    key: pem(privateKey),
    certificate: makeCertificate({
      ...of,
      subject,
      issuer: issuer.name,
      publicKey,
      signedBy: issuer.privateKey,
      ca: false,
    }),
  };
}

const pem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();

function makeCertificate(of: {
  readonly subject: Name;
  readonly issuer: Name;
  readonly publicKey: KeyObject;
  readonly signedBy: KeyObject;
  readonly ca: boolean;
  readonly hosts?: readonly string[];
  readonly from?: number;
  readonly until?: number;
  readonly usage?: keyof typeof USAGES;
}): string {
  const day = 86_400_000;
  const algorithm = sequence(oid("1.2.840.10045.4.3.2"));
  const extensions = [
    sequence(oid("2.5.29.19"), der(0x01, Buffer.of(0xff)), octets(sequence(...(of.ca ? [TRUE] : [])))),
    ...(of.usage === undefined ? [] : [sequence(oid("2.5.29.37"), octets(sequence(oid(USAGES[of.usage]))))]),
    ...(of.hosts === undefined || of.hosts.length === 0
      ? []
      : [sequence(oid("2.5.29.17"), octets(sequence(...of.hosts.map(host))))]),
  ];
  const body = sequence(
    der(0xa0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(8)])),
    algorithm,
    name(of.issuer),
    sequence(time(of.from ?? Date.now() - day), time(of.until ?? Date.now() + day)),
    name(of.subject),
    of.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = der(0x03, Buffer.concat([Buffer.of(0), sign("sha256", body, of.signedBy)]));
  const lines =
    sequence(body, algorithm, signature)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const length =
    content.length < 0x80
      ? Buffer.of(content.length)
      : content.length < 0x100
        ? Buffer.of(0x81, content.length)
        : Buffer.of(0x82, content.length >> 8, content.length & 0xff);
  return Buffer.concat([Buffer.of(tag), length, content]);
}

const sequence = (...contents: Buffer[]): Buffer => der(0x30, ...contents);
const octets = (content: Buffer): Buffer => der(0x04, content);
const integer = (content: Buffer): Buffer => der(0x02, content);
const TRUE = der(0x01, Buffer.of(0xff));
type Name = string | readonly (readonly [type: keyof typeof TYPES, value: string])[];
const TYPES = { CN: "2.5.4.3", OU: "2.5.4.11", O: "2.5.4.10", C: "2.5.4.6" } as const;
const USAGES = { clientAuth: "1.3.6.1.5.5.7.3.2", serverAuth: "1.3.6.1.5.5.7.3.1" } as const;
const name = (parts: Name): Buffer =>
  sequence(
    ...(typeof parts === "string" ? ([["CN", parts]] as const) : parts).map(([type, value]) =>
      der(0x31, sequence(oid(TYPES[type]), der(0x0c, Buffer.from(value)))),
    ),
  );
const time = (at: number): Buffer =>
  der(0x17, Buffer.from(`${new Date(at).toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`));
const host = (text: string): Buffer => {
  if (/^[\d.]+$/.test(text)) return der(0x87, Buffer.from(text.split(".").map(Number)));
  if (text.startsWith("mailto:")) return der(0x81, Buffer.from(text.slice(7)));
  return der(text.includes(":") ? 0x86 : 0x82, Buffer.from(text));
};

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = rest.flatMap((part) => {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.of(first * 40 + second, ...bytes));
}
