import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  checkEndpointUrl,
  checkReturnUrl,
  checkServerAddress,
} from "../../../src/broker/organisations/server-address.ts";

const strict = { loopbackOrigins: [], loopbackReturnUrls: false };
const developing = { loopbackOrigins: ["http://127.0.0.1:4000"], loopbackReturnUrls: true };

describe("the address of an iManage server", () => {
  test.each([
    "https://cloudimanage.com",
    "https://firm.cloudimanage.com",
    "https://x-mobility.imanage.work",
    "https://10.1.2.3",
  ])("%s is accepted", (address) =>
    expect(checkServerAddress(address, strict)).toEqual({ ok: true, warning: undefined }),
  );

  test("a port is accepted with a warning", () => {
    expect(checkServerAddress("https://dms.firm.example:8443", strict)).toEqual({
      ok: true,
      warning: expect.stringContaining("has port 8443"),
    });
  });

  const REFUSED: readonly [string, string][] = [
    ["http://dms.firm.example", "must begin with https://: give https://dms.firm.example"],
    ["dms.firm.example", "must begin with https://: give https://dms.firm.example"],
    ["https://dms.firm.example/", "must have no trailing slash: give https://dms.firm.example"],
    ["https://dms.firm.example/login", "must not end in /login: give https://dms.firm.example"],
    ["https://dms.firm.example/login/", "must not end in /login: give https://dms.firm.example"],
    ["https://dms.firm.example/work/web", "must have no path: give https://dms.firm.example"],
    ["https://dms.firm.example?x=1", "must have no query and no fragment: give https://dms.firm.example"],
    [
      "https://me:pass@dms.firm.example",
      "must hold no user name and no password: give https://dms.firm.example",
    ],
    ["https://DMS.firm.example", "must be in lower case and without :443: give https://dms.firm.example"],
    ["https://dms.firm.example:443", "must be in lower case and without :443: give https://dms.firm.example"],
    [
      "http://DMS.firm.example:8080/work/login?a#b",
      "must begin with https://, must have no query and no fragment, must not end in /login: give https://dms.firm.example:8080",
    ],
    ["https://<firm>.cloudimanage.com", "is not an address: it looks like https://imanage.example.com"],
    ["https://*.cloudimanage.com", "is not an address: it looks like https://imanage.example.com"],
    ["ftp://dms.firm.example", "is not an address: it looks like https://imanage.example.com"],
    ["", "is not an address: it looks like https://imanage.example.com"],
    [
      "http://127.0.0.1:4000",
      "is on this machine, which is allowed only for origins that EGRESS_LOOPBACK_ORIGINS lists, outside production",
    ],
    [
      "https://localhost",
      "is on this machine, which is allowed only for origins that EGRESS_LOOPBACK_ORIGINS lists, outside production",
    ],
    [
      "http://2130706433",
      "is on this machine, which is allowed only for origins that EGRESS_LOOPBACK_ORIGINS lists, outside production",
    ],
  ];
  test.each(REFUSED)("%s %s", (address, fault) => {
    expect(checkServerAddress(address, strict)).toEqual({ ok: false, fault });
  });

  test("loopback is accepted for the exact origins that are listed and no other", () => {
    expect(checkServerAddress("http://127.0.0.1:4000", developing)).toMatchObject({ ok: true });
    expect(checkServerAddress("http://127.0.0.1:4000/", developing)).toMatchObject({ ok: false });
    expect(checkServerAddress("http://127.0.0.1:4001", developing)).toMatchObject({ ok: false });
  });

  test("the corrected form is always accepted, and no password is in it", () => {
    const part = fc.stringMatching(/^[a-z]{1,8}$/);
    const messy = fc
      .record({
        scheme: fc.constantFrom("http://", "https://", "HTTPS://", ""),
        user: fc.constantFrom("", "u:hunter2@"),
        host: fc.tuple(part, part).map(([a, b]) => `${a}.${b}.example`),
        port: fc.constantFrom("", ":443", ":8443"),
        path: fc.constantFrom("", "/", "/login", "/work/", "?q", "#f"),
      })
      .map(({ scheme, user, host, port, path }) => scheme + user + host + port + path);
    fc.assert(
      fc.property(messy, (address) => {
        const verdict = checkServerAddress(address, strict);
        if (verdict.ok) return;
        expect(verdict.fault).not.toContain("hunter2");
        const corrected = / (https:\S+)$/.exec(verdict.fault)?.[1] as string;
        expect(checkServerAddress(corrected, strict).ok).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe("the three URLs of a settings form", () => {
  test.each([
    ["https://f.cloudimanage.com/auth/oauth2/token", true],
    ["https://f.cloudimanage.com", false],
    ["https://f.cloudimanage.com/", false],
    ["http://f.cloudimanage.com/auth/oauth2/token", false],
    ["https://f.cloudimanage.com/auth/oauth2/token?x=1", false],
    ["https://u:p@f.cloudimanage.com/auth/oauth2/token", false],
    ["f.cloudimanage.com/auth/oauth2/token", false],
    ["http://127.0.0.1:4000/auth/oauth2/token", false],
  ])("%s: %s", (url, ok) => expect(checkEndpointUrl(url, strict).ok).toBe(ok));
});

describe("a client's return URL", () => {
  test.each([
    ["https://app.example/done?from=imanage", true],
    ["https://app.example", false],
    ["https://app.example/done#x", false],
    ["https://APP.example/done", false],
    ["https://app.example/a/../done", false],
    ["https://*.app.example/done", false],
    ["https://u@app.example/done", false],
    ["http://app.example/done", false],
    ["http://127.0.0.1:3000/done", false],
    ["javascript:alert(1)", false],
    ["/done", false],
    ["https://app.example/done?completion=mine", false],
    ["https://app.example/done?a=1&connect_session=", false],
    ["https://app.example/done?error", false],
    ["https://app.example/done?errors=1", true],
  ])("%s: %s", (url, ok) => expect(checkReturnUrl(url, strict).ok).toBe(ok));

  test("may be loopback http outside production", () => {
    expect(checkReturnUrl("http://127.0.0.1:3000/done", developing).ok).toBe(true);
    expect(checkReturnUrl("http://app.example/done", developing).ok).toBe(false);
  });
});
