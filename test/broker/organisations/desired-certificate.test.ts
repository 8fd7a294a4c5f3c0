import { expect, it } from "vitest";
import { certificateText } from "../../../src/broker/organisations/desired-certificate.ts";
import { readDesiredConfiguration } from "../../../src/broker/organisations/desired-configuration.ts";

const rules = { loopbackOrigins: [], loopbackReturnUrls: false };
const read = (certificate: unknown) =>
  readDesiredConfiguration({ version: 1, clients: [{ name: "app", certificate }] }, rules);
const HEX = "ab".repeat(32);

it.each([
  [{ subject_dn: "cn = app, o=Firm" }, "subject_dn CN=app,O=Firm"],
  [{ san_dns: "app.example.com" }, "san_dns app.example.com"],
  [{ san_uri: "spiffe://firm/app" }, "san_uri spiffe://firm/app"],
  [{ san_ip: "2001:db8::1" }, "san_ip 2001:db8::1"],
  [{ san_email: "app@example.com" }, "san_email app@example.com"],
  [
    { thumbprints: [HEX.toUpperCase().match(/../g)!.join(":"), HEX] },
    `SHA-256 ${Buffer.from(HEX, "hex").toString("base64url")}`,
  ],
  ["none", "none"],
])("a client's certificate is told in a file: %j", (told, text) => {
  const reading = read(told);
  expect(reading.ok && certificateText(reading.desired.clients[0]!.certificate)).toBe(text);
});

it.each([
  [{}, /say one of/],
  [{ san_dns: "a.example", san_ip: "10.0.0.1" }, /say one of/],
  [{ subject_dn: "app" }, /distinguished name|say one of/],
  [{ subject_dn: "" }, /distinguished name|say one of/],
  [{ san_dns: "*.example.com" }, /app\.example\.com|say one of/],
  [{ san_uri: "app" }, /spiffe|say one of/],
  [{ thumbprints: [] }, /certificate|say one of/],
  [{ thumbprints: ["ab"] }, /SHA-256|say one of/],
  [{ san: "a" }, /say one of|not a field/],
  ["all", /none/],
])("and not like this: %j", (told, fault) => {
  const reading = read(told);
  expect(reading.ok).toBe(false);
  expect(reading.ok ? "" : reading.faults.map(({ message }) => message).join()).toMatch(fault);
});
