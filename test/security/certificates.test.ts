import { createHash, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { readCertificates } from "../../src/security/certificates.ts";
import { issue, makeAuthority } from "../kit/certificates.ts";

const authority = makeAuthority("A firm's own CA");
const now = Date.now();

describe("T17 a firm's own certificate authorities", () => {
  it("are kept in a normal form, with name, fingerprint and expiry", () => {
    const read = readCertificates(`subject=A firm\r\n${authority.certificate}\n# end`, now);
    if ("fault" in read) throw new Error(read.fault);
    const der = Buffer.from(authority.certificate.replace(/-----.*-----/g, ""), "base64");
    const hex = createHash("sha256").update(der).digest("hex").toUpperCase();
    expect(read.certificates).toEqual([
      {
        subject: "A firm's own CA",
        fingerprint: hex.match(/../g)?.join(":"),
        expiresAt: new X509Certificate(authority.certificate).validToDate.getTime(),
      },
    ]);
    expect(read.pem).toBe(authority.certificate.trim());
  });

  it("may be several, intermediates among them, in any order", () => {
    const intermediate = makeAuthority("An intermediate", authority);
    const read = readCertificates(intermediate.certificate + authority.certificate, now);
    expect(read).toMatchObject({
      certificates: [{ subject: "An intermediate" }, { subject: "A firm's own CA" }],
    });
  });

  it("may be the server itself, where it signed its own certificate", () => {
    expect(readCertificates(issue("self", { hosts: ["dms.firm.example"] }).certificate, now)).toMatchObject({
      certificates: [{ subject: "dms.firm.example" }],
    });
  });

  it("have names that steer no terminal", () => {
    const read = readCertificates(makeAuthority("CA\u001b[31m\nred\u202e").certificate, now);
    expect(JSON.stringify(read)).not.toMatch(/\\u001b|\u202e/);
  });

  const expired = issue("self", { hosts: ["old.example"], from: now - 9e7, until: now - 8.64e7 });
  const faults: readonly [string, string, RegExp][] = [
    ["nothing", "", /holds no certificate: it must be PEM/],
    ["DER", Buffer.from([0x30, 0x82, 1, 2]).toString("latin1"), /holds no certificate/],
    ["a private key", authority.certificate + authority.key, /holds a private key/],
    ["a torn certificate", authority.certificate.replace(/\n[\w+/=]{20}/, "\n"), /cannot be read/],
    ["another server's certificate", issue(authority, { hosts: ["x.example"] }).certificate, /of a server/],
    ["one that expired", expired.certificate, /expired on \d{4}-\d{2}-\d{2}/],
    ["the second of two that expired", authority.certificate + expired.certificate, /the 2\. of 2/],
    ["eleven", authority.certificate.repeat(11), /more than 10/],
    ["a whole store", "x".repeat(65 * 1024), /more than 64 KiB/],
  ];
  it.each(faults)("are refused with a sentence: %s", (_title, text, sentence) => {
    const read = readCertificates(text, now);
    expect(read).toEqual({ fault: expect.stringMatching(sentence) });
    for (const line of text.split("\n").filter((part) => part.length > 30))
      expect(JSON.stringify(read)).not.toContain(line);
  });
});
