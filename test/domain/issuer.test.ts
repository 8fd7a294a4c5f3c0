import { expect, test } from "vitest";
import { checkIssuer } from "../../src/domain/issuer.ts";
import { defaultServerSettings, endpointsOf } from "../../src/domain/server.ts";

const server = (issuer: "unknown" | "required") => ({
  endpoints: endpointsOf("https://firm.example"),
  settings: { ...defaultServerSettings, issuer },
});

test.each([
  ["unknown", undefined, "ok"],
  ["unknown", "https://firm.example", "ok"],
  ["required", "https://firm.example", "ok"],
  ["required", undefined, "issuer_missing"],
  ["unknown", "", "issuer_mismatch"],
  ["unknown", "https://firm.example/", "issuer_mismatch"],
  ["unknown", "HTTPS://firm.example", "issuer_mismatch"],
  ["unknown", "https://firm.example.evil.example", "issuer_mismatch"],
  ["required", "https://other.example", "issuer_mismatch"],
] as const)("T01 iss %s, %s sent: %s", (setting, iss, verdict) => {
  expect(checkIssuer(server(setting), iss)).toBe(verdict);
});
