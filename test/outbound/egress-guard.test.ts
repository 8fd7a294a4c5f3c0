import { expect, test } from "vitest";
import { decideAddress, decideUrl, egressRules } from "../../src/outbound/egress-guard.ts";

const rules = egressRules({
  loopbackOrigins: ["http://127.0.0.1:4000"],
  ports: [9443],
  privateRanges: ["10.20.0.0/16", "fd12:3456::/32", "fd00::/8", "100.64.0.0/10"],
});

test.each([
  ["https://cloudimanage.com/auth/oauth2/token", "allowed"],
  ["https://firm.example:8443/api", "allowed"],
  ["https://firm.example:9443/api", "allowed"],
  ["https://93.184.216.34/", "allowed"],
  ["https://10.20.1.1/", "allowed"],
  ["http://127.0.0.1:4000/api", "allowed"],
  ["http://127.0.0.1:4001/api", "url_scheme"],
  ["https://127.0.0.1:4000/api", "url_port"],
  ["http://localhost:4000/api", "url_scheme"],
  ["http://user@127.0.0.1:4000/", "url_userinfo"],
  ["http://cloudimanage.com/", "url_scheme"],
  ["ftp://cloudimanage.com/", "url_scheme"],
  ["file:///etc/passwd", "url_scheme"],
  ["https://cloudimanage.com:22/", "url_port"],
  ["https://cloudimanage.com:6379/", "url_port"],
  ["https://a:b@cloudimanage.com/", "url_userinfo"],
  ["https://cloudimanage.com/#x", "url_fragment"],
  ["https://10.21.0.1/", "address_denied"],
  ["https://[::1]/", "address_denied"],
  ["https://169.254.169.254/", "address_denied"],
  ["not a url", "url_malformed"],
] as const)("T14 %s: %s", (url, expected) => {
  const verdict = decideUrl(url, rules);
  expect(verdict.allowed ? "allowed" : verdict.because).toBe(expected);
});

test.each([
  ["93.184.216.34", true],
  ["2606:2800:220:1::1", true],
  ["10.20.255.1", true],
  ["fd12:3456::1", true],
  ["10.21.0.1", false],
  ["172.16.0.1", false],
  ["192.168.1.1", false],
  ["127.0.0.1", false],
  ["127.255.255.254", false],
  ["::1", false],
  ["0.0.0.0", false],
  ["::", false],
  ["169.254.1.1", false],
  ["169.254.169.254", false],
  ["fe80::1", false],
  ["fe80::1%eth0", false],
  ["224.0.0.1", false],
  ["ff02::1", false],
  ["255.255.255.255", false],
  ["240.0.0.1", false],
  ["192.0.2.1", false],
  ["198.18.0.1", false],
  ["::ffff:93.184.216.34", false],
  ["::ffff:127.0.0.1", false],
  ["::ffff:7f00:1", false],
  ["::127.0.0.1", false],
  ["64:ff9b::7f00:1", false],
  ["64:ff9b:1::7f00:1", false],
  ["2002:7f00:1::", false],
  ["2001:0:4136:e378:8000:63bf:80ff:fffe", false],
  ["fec0::1", false],
  ["100::1", false],
  ["4000::1", false],
  // Metadata, though inside ranges that the operator allowed.
  ["fd00:ec2::254", false],
  ["100.100.100.200", false],
  ["168.63.129.16", false],
  ["no address", false],
] as const)("T14 a socket to %s: %s", (address, allowed) => {
  expect(decideAddress(address, rules, false)).toBe(allowed);
});

test.each([
  ["127.0.0.1", true],
  ["::1", true],
  ["93.184.216.34", false],
  ["10.20.1.1", false],
  ["::ffff:127.0.0.1", false],
] as const)("T14 a loopback exception leads to %s: %s", (address, allowed) => {
  expect(decideAddress(address, rules, true)).toBe(allowed);
});

test.each([
  "http://127.0.0.1:4000/",
  "http://10.0.0.1:80",
  "http://simulator:4000",
  "http://localhost.evil.example",
  "https://cloudimanage.com",
  "*",
])("T14 %s is not accepted as a loopback exception", (origin) => {
  expect(() => egressRules({ loopbackOrigins: [origin] })).toThrow(RangeError);
});

test("T14 a private range that is no CIDR is not accepted", () => {
  expect(() => egressRules({ privateRanges: ["10.0.0.0"] })).toThrow(RangeError);
});
