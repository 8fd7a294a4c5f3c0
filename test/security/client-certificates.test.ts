import { createHash, generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { RegisteredCertificate } from "../../src/domain/client-certificate.ts";
import { ClientAuthorities, makeClientCertificates } from "../../src/security/client-certificates.ts";
import { type Authority, issue, makeAuthority, makeIntermediate } from "../kit/certificates.ts";

const DAY = 86_400_000;
const NOW = Date.now();
const authority = makeAuthority("Meridian Clients");
const intermediate = makeIntermediate(authority, "Meridian Apps");
const stranger = makeAuthority("Meridian Clients");
const authorities = new ClientAuthorities();
authorities.replace(authority.certificate);
const certificates = makeClientCertificates(authorities);

const APP = [
  ["C", "GB"],
  ["O", "Meridian, Legal + Co"],
  ["CN", "matter-tracker"],
] as const;
const APP_DN: RegisteredCertificate = {
  by: "subject_dn",
  value: "CN=matter-tracker,O=Meridian\\, Legal \\+ Co,C=GB",
};
const HOSTS = ["app.example.com", "10.1.2.3", "mailto:app@example.com", "spiffe://meridian/app"];

function presented(pem: string, verified = false) {
  const der = new X509Certificate(pem).raw;
  return { der, thumbprint: createHash("sha256").update(der).digest("base64url"), verified };
}
const judge = (
  by: Authority | "self",
  of: Partial<Parameters<typeof issue>[1]>,
  registered: RegisteredCertificate = APP_DN,
  verified = false,
) =>
  certificates.judge(
    presented(issue(by, { hosts: HOSTS, subject: APP, ...of }).certificate, verified),
    registered,
    NOW,
  );

describe("a client's certificate", () => {
  it("is known by the one name that is registered", () => {
    expect(judge(authority, {})).toBeUndefined();
    expect(judge(authority, { usage: "clientAuth" })).toBeUndefined();
    for (const [by, value] of [
      ["san_dns", "APP.example.com"],
      ["san_ip", "10.1.2.3"],
      ["san_email", "app@example.com"],
      ["san_uri", "spiffe://meridian/app"],
    ] as const)
      expect(judge(authority, {}, { by, value }), by).toBeUndefined();
  });

  it.each([
    [
      "another common name",
      { by: "subject_dn", value: "CN=matter-tracker2,O=Meridian\\, Legal \\+ Co,C=GB" },
    ],
    [
      "its parts the other way round",
      { by: "subject_dn", value: "C=GB,O=Meridian\\, Legal \\+ Co,CN=matter-tracker" },
    ],
    ["a part of its name", { by: "subject_dn", value: "CN=matter-tracker" }],
    ["another host", { by: "san_dns", value: "example.com" }],
    ["its e-mail as a host", { by: "san_dns", value: "app@example.com" }],
    ["its host as a URI", { by: "san_uri", value: "app.example.com" }],
    ["another address", { by: "san_ip", value: "10.1.2.30" }],
    ["another certificate", { by: "thumbprints", values: ["A".repeat(43)] }],
  ] as const)("is not the registered one by %s", (_, registered) => {
    expect(judge(authority, {}, registered)).toBe("certificate_not_registered");
  });

  it.each([
    ["CN=matter-tracker\nO=Meridian\\, Legal + Co\nC=GB", "line breaks in a value"],
    ["matter-tracker,O=Meridian\\, Legal \\+ Co,C=GB", "separators in a value"],
  ])("does not get a name by %j", (value) => {
    expect(judge(authority, { subject: [["CN", value]] })).toBe("certificate_not_registered");
  });

  it.each(["a.example, DNS:app.example.com", 'a", DNS:"app.example.com', "a\u0000.app.example.com"])(
    "does not get a second host name by writing %j into the first",
    (host) => {
      expect(judge(authority, { hosts: [host] }, { by: "san_dns", value: "app.example.com" })).toBe(
        "certificate_not_registered",
      );
    },
  );

  it("counts from its first moment until its last", () => {
    expect(judge(authority, { from: NOW - DAY, until: NOW - 1_000 })).toBe("certificate_expired");
    expect(judge(authority, { from: NOW + 2_000, until: NOW + DAY })).toBe("certificate_not_yet_valid");
  });

  it("is made for clients, by an authority of the operator's file itself", () => {
    expect(judge(authority, { usage: "serverAuth" })).toBe("certificate_not_for_clients");
    expect(judge("self", {})).toBe("certificate_authority_unknown");
    // Of the same name, with another key.
    expect(judge(stranger, {})).toBe("certificate_authority_unknown");
    expect(judge(intermediate, {})).toBe("certificate_authority_unknown");
    // TLS has seen the intermediate, and found the way.
    expect(judge(intermediate, {}, APP_DN, true)).toBeUndefined();
    authorities.replace(`${authority.certificate}\n${intermediate.certificate}`);
    expect(judge(intermediate, {})).toBeUndefined();
    authorities.replace(authority.certificate);
    expect(judge(intermediate, {})).toBe("certificate_authority_unknown");
  });

  it("whose issuer is a client itself comes from no authority", () => {
    const leaf = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const forged = issue(
      { name: "app", key: "", certificate: "", privateKey: leaf.privateKey },
      { hosts: HOSTS, subject: APP },
    );
    const own = new ClientAuthorities();
    // Even where somebody put the client's own certificate into the file.
    own.replace(issue(authority, { hosts: [], subject: "app", keys: leaf }).certificate);
    expect(makeClientCertificates(own).judge(presented(forged.certificate), APP_DN, NOW)).toBe(
      "certificate_authority_unknown",
    );
  });

  it("that a client made itself is known by its thumbprint, and by nothing else", () => {
    const { certificate } = issue("self", { hosts: HOSTS, subject: APP });
    const shown = presented(certificate);
    const registered = { by: "thumbprints", values: ["A".repeat(43), shown.thumbprint] } as const;
    expect(certificates.judge(shown, registered, NOW)).toBeUndefined();
    expect(certificates.judge(shown, registered, NOW + 2 * DAY)).toBe("certificate_expired");
    expect(judge("self", { usage: "serverAuth" }, registered)).toBe("certificate_not_for_clients");
  });

  it("has a key that nobody can break, and is exactly what was presented", () => {
    const keys = generateKeyPairSync("rsa", { modulusLength: 1_024 });
    expect(judge(authority, { keys })).toBe("certificate_weak");
    const { der, ...rest } = presented(issue(authority, { hosts: HOSTS, subject: APP }).certificate);
    for (const other of [Buffer.concat([der, Buffer.of(0)]), der.subarray(1), Buffer.alloc(0)])
      expect(certificates.judge({ der: other, ...rest }, APP_DN, NOW)).toBe("certificate_unreadable");
    const bent = Buffer.from(der);
    bent[bent.length - 3]! ^= 1;
    expect(certificates.judge({ der: bent, ...rest }, APP_DN, NOW)).toBe("certificate_authority_unknown");
  });

  it("that cannot be read to its end proves nothing, and ends in no error of ours", () => {
    const { der } = presented(issue(authority, { hosts: HOSTS, subject: APP }).certificate);
    const spoiled = (at: Buffer, byte: number, to: number, from = 0) => {
      const copy = Buffer.from(der);
      copy[copy.indexOf(at, from) + byte] = to;
      return copy;
    };
    const time = Buffer.from("170d", "hex");
    const key = [Buffer.from("2a8648ce3d0201", "hex"), Buffer.from("2a864886f70d010101", "hex")].find((oid) =>
      der.includes(oid),
    )!;
    const validTo = Buffer.from(der).indexOf(time) + 2;
    for (const [what, copy] of [
      ["a key of a kind that nobody knows", spoiled(key, key.length - 1, 0x7f)],
      ["no month from which it is valid", spoiled(time, 4, 0x39)],
      ["no month until which it is valid", spoiled(time, 4, 0x39, validTo)],
    ] as const) {
      const thumbprint = createHash("sha256").update(copy).digest("base64url");
      const shown = { der: copy, thumbprint, verified: false };
      const fault = certificates.judge(shown, { by: "thumbprints", values: [thumbprint] }, NOW);
      expect(fault, what).toBe("certificate_unreadable");
    }
  });
});
