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
  of: { readonly hosts: readonly string[]; readonly from?: number; readonly until?: number },
): Issued {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = of.hosts[0] ?? "none";
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
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly signedBy: KeyObject;
  readonly ca: boolean;
  readonly hosts?: readonly string[];
  readonly from?: number;
  readonly until?: number;
}): string {
  const day = 86_400_000;
  const algorithm = sequence(oid("1.2.840.10045.4.3.2"));
  const extensions = [
    sequence(oid("2.5.29.19"), der(0x01, Buffer.of(0xff)), octets(sequence(...(of.ca ? [TRUE] : [])))),
    ...(of.hosts === undefined ? [] : [sequence(oid("2.5.29.17"), octets(sequence(...of.hosts.map(host))))]),
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
const name = (common: string): Buffer =>
  sequence(der(0x31, sequence(oid("2.5.4.3"), der(0x0c, Buffer.from(common)))));
const time = (at: number): Buffer =>
  der(0x17, Buffer.from(`${new Date(at).toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`));
const host = (text: string): Buffer =>
  /^[\d.]+$/.test(text) ? der(0x87, Buffer.from(text.split(".").map(Number))) : der(0x82, Buffer.from(text));

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = rest.flatMap((part) => {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.of(first * 40 + second, ...bytes));
}
