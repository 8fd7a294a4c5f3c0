// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is how placeholders of a template are written
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { PACKAGE_KINDS, packageValues } from "../../src/broker/organisations/registration-package.ts";
import { fillManifest } from "../../src/ops/fill-manifest.ts";
import { makePackageTemplates } from "../../src/ops/package-templates.ts";
import { ROOT } from "../architecture/source.ts";
import { unzip } from "../kit/unzip.ts";

const input = {
  applicationName: "Token Broker",
  description: "Holds authorizations.",
  publisher: "Example Ltd",
  website: "https://broker.example.com",
  contactEmail: "it@example.com",
  clientId: "broker",
  redirectUri: "https://broker.example.com/oauth2/callback/reg_1",
  libraryPage: "https://broker.example.com/servers/srv_1/libraries",
  packageUrl: "https://broker.example.com/v1/servers/srv_1/package",
  server: {
    id: "srv_1",
    name: "meridian/dms",
    kind: "on-premises",
    address: "https://dms.meridian.example",
  },
  registeredBy: "package",
  codeLifeMs: 30_000,
  refreshTokenLifeMs: 365 * 86_400_000,
  generation: 7,
  region: "dms.meridian.example",
} as const;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "package-test-"));
  cpSync(join(ROOT, "config/package"), folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

const make = (kind: (typeof PACKAGE_KINDS)[number], change: Partial<typeof input> = {}) =>
  makePackageTemplates(folder).make(kind, packageValues(kind, { ...input, ...change }));

const manifestOf = (zip: Uint8Array) => {
  const [manifest] = unzip(zip);
  return parse(manifest?.content.toString("utf8") ?? "", { version: "1.2" });
};

describe("the packages that come along", () => {
  const APPLICATION = {
    client_id: "broker",
    application_type: "web",
    client_type: "confidential",
    authentication_required: true,
    redirect_urls: ["https://broker.example.com/oauth2/callback/reg_1"],
    allow_token_refresh: true,
    refresh_token_expiry_days: 365,
    access_token_expiry_minutes: 30,
  };
  const COMMON = {
    manifest_version: 1,
    version: "1.0.7",
    region: "dms.meridian.example",
    name: "Token Broker",
    description: "Holds authorizations.",
    publisher: "Example Ltd",
    website: "https://broker.example.com",
    contact_email: "it@example.com",
    application: APPLICATION,
  };

  it("list our page under Extensions: the one for Control Center", async () => {
    expect(manifestOf(await make("control-center"))).toEqual({
      ...COMMON,
      type: "control-center-extension",
      id: "imanage-token-broker.control-center.srv_1",
      extensions: [
        {
          location: "control-center.extensions",
          title: "Background service authorization",
          url: "https://broker.example.com/servers/srv_1/libraries",
        },
      ],
    });
  });

  it("make the application known: the one for Work", async () => {
    expect(manifestOf(await make("work"))).toEqual({
      ...COMMON,
      type: "work-extension",
      id: "imanage-token-broker.work.srv_1",
    });
  });

  it.each(PACKAGE_KINDS)("have manifest.yaml at the root, alone and readable: %s", async (kind) => {
    expect(unzip(await make(kind)).map(({ name, method }) => [name, method])).toEqual([["manifest.yaml", 0]]);
  });

  it("say which names are assumptions", async () => {
    for (const kind of PACKAGE_KINDS) {
      const text = unzip(await make(kind))[0]?.content.toString("utf8");
      expect(text).toContain("EVERY FIELD NAME BELOW IS AN ASSUMPTION");
    }
  });
});

describe("the same input", () => {
  it("gives the same bytes, in any time zone and at any time", async () => {
    writeFileSync(join(folder, "work/b.svg"), "<svg/>");
    writeFileSync(join(folder, "work/a.svg"), "<svg/>");
    const first = await make("work");
    const zone = process.env.TZ;
    try {
      process.env.TZ = "Asia/Kolkata";
      cpSync(join(folder, "work"), join(folder, "copy"), { recursive: true });
      rmSync(join(folder, "work"), { recursive: true });
      cpSync(join(folder, "copy"), join(folder, "work"), { recursive: true });
      expect(Buffer.from(await make("work")).equals(Buffer.from(first))).toBe(true);
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
    const entries = unzip(first);
    expect(entries.map(({ name }) => name)).toEqual(["manifest.yaml", "a.svg", "b.svg"]);
    // 1980-01-01 00:00: the format's own beginning.
    expect(new Set(entries.map(({ dosTime }) => dosTime))).toEqual(new Set([0x0021_0000]));
  });

  it("that differs gives another version, so that an upload is seen to be newer", async () => {
    const versions = await Promise.all(
      [7, 8].map(async (generation) => manifestOf(await make("work", { generation } as never)).version),
    );
    expect(versions).toEqual(["1.0.7", "1.0.8"]);
  });
});

describe("a firm's own template", () => {
  const write = (text: string | Buffer) => writeFileSync(join(folder, "work/manifest.yaml"), text);

  it("may have other fields, folders and files", async () => {
    write("app:\n  Title: '${application_name} for ${server_name}'\n  days: ${refresh_token_expiry_days}\n");
    mkdirSync(join(folder, "work/icons"));
    writeFileSync(join(folder, "work/icons/app.png"), Buffer.from([0x89, 0x50, 0, 255]));
    writeFileSync(join(folder, "work/.swp"), "left behind");
    const zip = await make("work");
    expect(manifestOf(zip)).toEqual({ app: { Title: "Token Broker for meridian/dms", days: 365 } });
    const [, icon] = unzip(zip);
    expect([icon?.name, icon?.content.toString("hex")]).toEqual(["icons/app.png", "895000ff"]);
    expect(unzip(zip)).toHaveLength(2);
  });

  const faults: readonly [string, string | Buffer, RegExp][] = [
    [
      "a placeholder nobody knows",
      "a: ${client_secret}",
      /work\/manifest\.yaml has a placeholder "\$\{client_secret\}" that nobody knows; there are access_token_expiry_minutes, .*website\./,
    ],
    ["one of an object's own names", "a: ${constructor}", /"\$\{constructor\}" that nobody knows/],
    ["one inside other words", "a: x ${nobody} y", /"\$\{nobody\}" that nobody knows/],
    ["one with blanks", "a: ${ client_id }", /that nobody knows/],
    ["one that is not closed", "a: '${client_id'", /that nobody knows/],
    ["one in a list", "a: [1, '${nobody}']", /that nobody knows/],
    ["one in a field's name", "${client_id}: 1", /in a field's name/],
    ["no YAML", "a: [", /is not YAML, at character \d+/],
    ["a field twice", "a: 1\na: 2", /is not YAML/],
    ["no UTF-8", Buffer.from([0x61, 0x3a, 0xff]), /is not UTF-8/],
    ["characters nobody sees", "a: b\u2028c", /invisible characters/],
  ];
  it.each(faults)("with %s is refused, with a sentence that says where", async (_title, text, sentence) => {
    write(text);
    await expect(make("work")).rejects.toMatchObject({
      code: "package_template_faulty",
      message: expect.stringMatching(sentence),
    });
  });

  it("that is missing, too large, or holds what is no file is refused", async () => {
    const refused = (sentence: string) =>
      expect(make("work")).rejects.toMatchObject({ message: expect.stringContaining(sentence) });
    symlinkSync("/etc/passwd", join(folder, "work/passwd"));
    await refused("passwd, which is no regular file");
    rmSync(join(folder, "work/passwd"));
    writeFileSync(join(folder, "work/large.bin"), Buffer.alloc(5 * 1024 * 1024));
    await refused("more than 100 files or 4 MiB");
    rmSync(join(folder, "work/large.bin"));
    writeFileSync(join(folder, "work/a b"), "");
    await refused("more than letters, digits");
    rmSync(join(folder, "work"), { recursive: true });
    await refused("cannot be read (ENOENT)");
    mkdirSync(join(folder, "work"));
    await refused("work has no manifest.yaml");
  });
});

describe("whatever stands in a value", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string(),
    fc.constantFrom(
      ...['"', "'", "\n", "\r\n", "a\nevil: true", '"\nevil: true\n"', "- x", "# no", "yes", "null", "1.0"],
      ...[
        "!!js/function x",
        "&a",
        "*a",
        "${client_id}",
        "{{x}}",
        "%TAG",
        "---",
        "...",
        "\u2028",
        "\u0085",
        "\ufeff",
      ],
      ...["|", ">", "@", "`", "\t", " ", "", "\\", '\\"', "\u0000", "\ud800", "=", "<<", "~", "0x1f", "1e3"],
    ),
  );
  const TEMPLATE =
    "a: ${x}\nb: \"say ${x} and ${y}\"\nc:\n  - ${x}\n  - |\n    block ${x}\n  - 'q ${x}'\nz: last\n";

  it.each(["1.1", "1.2"] as const)("stays that value, to a reader of YAML %s", (version) => {
    fc.assert(
      fc.property(hostile, hostile, (x, y) => {
        const text = fillManifest(TEMPLATE, { x, y });
        const [a, b] = [x.toWellFormed(), y.toWellFormed()];
        expect(parse(text, { version })).toEqual({
          a,
          b: `say ${a} and ${b}`,
          c: [a, `block ${a}\n`, `q ${a}`],
          z: "last",
        });
        expect(text).not.toMatch(/[\u0085\u2028\u2029\ufeff]/);
      }),
      { numRuns: 2_000 },
    );
  });
});
