import { describe, expect, it } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { printable, said, visibleText } from "../../src/outbound/printable-text.ts";
import { needlesOf, scan } from "../kit/canary.ts";

const SECRET = "s3cr3t/+?>-of=the firm%";

describe("what a server said, for admins' eyes", () => {
  it.each(needlesOf({ secret: SECRET }).map(({ encoding, bytes }) => [encoding, bytes.toString("utf8")]))(
    "is not shown where it repeats our secret, %s: %s",
    (_encoding, spelling) => {
      const shown = said(`<p>unknown client, secret was ${spelling}</p>`, [new Secret(SECRET)]);
      expect(shown).toMatch(/^\(left out/);
    },
  );

  it("nor where the secret stands behind another one in a Basic header", () => {
    const basic = Buffer.from(`token-broker:${encodeURIComponent("secret-of-the-firm")}`).toString("base64");
    const shown = said(`Authorization: Basic ${basic}`, [new Secret("secret-of-the-firm")]);
    expect(scan(shown, needlesOf({ secret: "secret-of-the-firm" }), "")).toEqual([]);
    expect(shown).toMatch(/^\(left out/);
  });

  it("is what people would read of it", () => {
    const page = `<!doctype html><html><head><title>400</title><style>p{}</style></head>
      <body><script>var token = "x"</script><h1>Redirect URL</h1><!-- no --><p>is not <b>registered</b>.</p>`;
    expect(said(page, [])).toBe("400 Redirect URL is not registered .");
    expect(said('{"error":"invalid_client"}', [])).toBe('{"error":"invalid_client"}');
    expect(visibleText("a < b and c > d")).toBe("a < b and c > d");
  });

  it("moves no cursor, turns no direction, forges no line, and ends", () => {
    const hostile = "a\u001b[2Jb\r\nlevel=error\u202egnp.exe\u2028\u0000\ud800c";
    expect(said(hostile, [])).toBe("a [2Jb level=error gnp.exe \ufffdc");
    expect(said("word ".repeat(10_000), []).length).toBeLessThanOrEqual(300);
    expect(printable("x".repeat(50), 10)).toBe(`${"x".repeat(9)}…`);
  });

  it("leaves out what could be a token, whoever's it is", () => {
    expect(said(`code ${"Ab1".repeat(20)} is over`, [])).toBe("code … is over");
  });

  it.each(["<", "<a ", "<script>", "<!--", "<style", "</", "<head><title>"])(
    "of a page of a quarter of a megabyte made of %j is what stands before it",
    (piece) => {
      // Read in one pass: each of these once took a second of everybody's time.
      const page = `<p>Before</p>${piece.repeat(Math.ceil(262_144 / piece.length))}`;
      expect(said(page, [new Secret(SECRET)])).toMatch(/^Before/);
    },
  );
});
