import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { printable } from "../../src/ops/printable.ts";

const random = (bytes: number, encoding: "base64url" | "base64" | "hex" = "base64url") =>
  randomBytes(bytes).toString(encoding);

describe("the last line of redaction (T36)", () => {
  it.each<[string, string]>([
    ["a client's secret of ours", `imb_sk_${random(32)}abcdef`],
    ["a broker token, however short it was cut", "imb_at_AbC"],
    ["a token of 32 random bytes", random(32)],
    ["a digest", createHash("sha256").update("x").digest("base64url")],
    ["a key in hexadecimal", random(32, "hex")],
    ["a token in base64", `+/aZ9${random(48, "base64")}`],
    ["a token of the simulator", `sim_rt_${random(32)}`],
    ["a short JWT", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ."],
    ["a header", "Bearer abc123def"],
    ["a header in small letters", "basic dXNlcjpwYXNz"],
    ["an answer", '"refresh_token": "short"'],
    ["a form", "client_secret=short"],
    ["a query", "?code=short"],
    ["a state behind others", "&state=short"],
  ])("takes out %s", (_, token) => {
    const line = printable(`before ${token} after`);
    expect(line).toContain("[redacted]");
    expect(line.startsWith("before ")).toBe(true);
    const kept = line.replace("[redacted]", "");
    for (const piece of token.split(/[\s"=:?&.]+/).filter((part) => part.length >= 3)) {
      if (!/^(code|state|refresh_token|client_secret|bearer|basic)$/i.test(piece))
        expect(kept).not.toContain(piece);
    }
  });

  it("looks before it cuts: a token across the bound leaves no half behind", () => {
    const token = random(32);
    for (let at = 150; at <= 200; at++) {
      const line = printable("x ".repeat(at / 2) + token);
      expect(line).not.toContain(token.slice(0, 8));
      expect(line.length).toBeLessThanOrEqual(200);
    }
  });

  it.each([
    "grt_abcdefghjk01234567890123456789012345",
    "refresh-grt_abcdefghjk01234567890123456789012345-3",
    "cli_01234567890123456789012345",
    "01890a5d-ac96-774b-bcce-b302099a8057",
    "completed_too_late: The sign-in was completed too late",
    "/v1/organisations/:organisation/connect-sessions/:session/complete",
    "/some/long/path/of/an/installation/without/random/letters",
    "Basic authorisation",
    "Grüße aus München, 東京",
  ])("leaves %s", (text) => {
    // "Basic …" is the price: it reads like a header.
    if (text.startsWith("Basic")) expect(printable(text)).toBe("Basic [redacted]");
    else expect(printable(text)).toBe(text);
  });

  it("an id's shape in other letters is no id", () => {
    expect(printable(`grt_${"A".repeat(36)}`)).toBe("[redacted]");
    expect(printable(`tok_${"a".repeat(36)}`)).toBe("[redacted]");
    expect(printable(`grt_${"a".repeat(36)}${random(40)}`)).toContain("[redacted]");
  });

  it("half a character is never printed", () => {
    expect(printable("\ud83d").isWellFormed()).toBe(true);
    expect(printable(`${"x".repeat(198)}😀😀`).isWellFormed()).toBe(true);
  });
});
