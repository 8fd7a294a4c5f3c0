import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { readSettings, SettingsError } from "../../src/config/settings.ts";
import { productLogo } from "../../src/main/product-logo.ts";
import { logoOf } from "../../src/ops/logo.ts";

const svg = (inside: string, before = "") =>
  Buffer.from(`${before}<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">${inside}</svg>`);
const DRAWING = `<style>.a{fill:#123}</style><defs><linearGradient id="g"/></defs><path class="a" fill="url(#g)" d="M0 0h9v9z"/><use href="#g"/>`;

function png(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(data.length);
    head.write(type, 4, "latin1");
    return Buffer.concat([head, data, Buffer.alloc(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from("\u0089PNG\r\n\u001a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.alloc(2))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

describe("a logo", () => {
  it.each([
    ["a plain SVG", svg(DRAWING), "image/svg+xml"],
    [
      "one with a declaration and a comment",
      svg(DRAWING, '\ufeff<?xml version="1.0"?>\n<!-- ours -->'),
      "image/svg+xml",
    ],
    ["a PNG", png(64, 32), "image/png"],
  ])("is %s", (_what, bytes, type) => {
    expect(logoOf(bytes)).toEqual({ type, bytes });
  });

  it.each([
    ["nothing", Buffer.alloc(0), /neither SVG nor PNG/],
    ["a page", Buffer.from("<!doctype html><svg></svg>"), /neither/],
    ["a JPEG", Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0]), /neither/],
    ["no UTF-8", Buffer.concat([svg(""), Buffer.from([0xff])]), /neither/],
    ["a PNG cut short", png(9, 9).subarray(0, -6), /cut short/],
    ["a PNG without a header", png(9, 9).subarray(0, 20), /cut short/],
    ["a huge PNG", png(2_001, 9), /2000 pixels/],
    ["a PNG of no height", png(9, 0), /2000 pixels/],
    ["a large file", svg("x".repeat(100_000)), /100 kB/],
    ["a script", svg("<script>alert(1)</script>"), /a script/],
    ["a script of a namespace", svg("<svg:script>alert(1)</svg:script>"), /a script/],
    ["an event handler", svg('<path onload="alert(1)"/>'), /event handler/],
    ["an event handler without a blank", svg(`<path d="M0"onclick='x'/>`), /event handler/],
    ["a script's address", svg('<a href="javascript:alert(1)"/>'), /a script/],
    ["a hidden script's address", svg('<a href="&#106;avascript:alert(1)"/>'), /elsewhere|numbers/],
    ["a foreign object", svg("<foreignObject><p/></foreignObject>"), /more than a drawing/],
    ["an animation that sets a link", svg('<set attributeName="href" to="x"/>'), /more than a drawing/],
    ["a picture from elsewhere", svg('<image href="https://evil.example/x.png"/>'), /elsewhere/],
    ["an old link to elsewhere", svg('<use xlink:href = "//evil.example#a"/>'), /elsewhere/],
    ["a document in a data URL", svg('<use href="data:image/svg+xml,x"/>'), /elsewhere/],
    ["a colour from elsewhere", svg('<path fill="url(https://evil.example/x)"/>'), /elsewhere/],
    ["a style sheet from elsewhere", svg("<style>@import 'x'</style>"), /elsewhere/],
    ["a style sheet by an instruction", svg('<?xml-stylesheet href="#"?>'), /style sheet/],
    ["entities", svg("", '<!DOCTYPE svg [<!ENTITY x "y">]>'), /neither|entities/],
  ])("is not %s", (_what, bytes, told) => {
    expect(() => logoOf(bytes)).toThrow(told);
  });

  it("is looked at before anything starts: the fault names the setting, and nothing of the file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "logo-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, "logo.svg");
    const settings = readSettings({
      NODE_ENV: "test",
      REDIS_URL: "redis://127.0.0.1:6379",
      PUBLIC_BASE_URL: "http://127.0.0.1:8080",
      PRODUCT_LOGO_FILE: file,
    });
    await expect(productLogo(settings)).rejects.toThrow("PRODUCT_LOGO_FILE names a file that cannot be read");
    await writeFile(file, svg("<script>secret()</script>"));
    const refused = await productLogo(settings).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SettingsError);
    expect(String(refused)).toContain("PRODUCT_LOGO_FILE names an SVG with a script");
    expect(String(refused)).not.toContain("secret()");
    await writeFile(file, svg(DRAWING));
    expect((await productLogo(settings))?.type).toBe("image/svg+xml");
    expect(await productLogo({ ...settings, PRODUCT_LOGO_FILE: undefined })).toBeUndefined();
  });
});
