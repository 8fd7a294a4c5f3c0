import { describe, expect, it } from "vitest";
import { type Import, importsOf, isOurs, read, roomOf, typescriptFiles, withoutComments } from "./source.ts";

/** Rooms that a room may import besides itself. A room that is not listed here does not belong in `src/`. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  broker: ["domain"],
  sync: ["domain", "broker"],
  events: ["domain", "broker"],
  store: ["domain", "broker", "sync", "events"],
  // How anything leaves this process. Adapters lie side by side; this one lies below those that ask others.
  outbound: ["domain", "broker", "sync", "events"],
  imanage: ["domain", "broker", "sync", "events", "outbound"],
  security: ["domain", "broker", "sync", "events"],
  kms: ["domain", "broker"],
  http: ["domain", "broker", "sync", "events"],
  pages: ["domain", "broker", "sync", "events"],
  workers: ["domain", "broker", "sync", "events"],
  ops: ["domain", "broker", "sync", "events"],
  cli: ["domain", "broker", "sync", "events"],
  config: [],
  simulator: [],
  main: [
    ...["domain", "broker", "sync", "events", "store", "imanage", "security", "http", "pages", "workers"],
    ...["ops", "cli", "config", "simulator", "kms", "outbound"],
  ],
};

/** What of `broker/` the inner rooms beside it may use: ports, and the contexts under which their own secrets are sealed. */
const BROKER_FOR_SYNC = /^src\/broker\/(.*\/)?[\w-]*ports\.ts$|^src\/broker\/seal-contexts\.ts$/;

/** Packages of the inner rooms. Adapters choose their own. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  broker: ["zod"],
  sync: [],
  events: [],
};

/** Types alone may cross these, each for a reason; nothing of them is left when the program runs. */
const TYPE_ONLY_EXCEPTIONS = [
  // A command is told the settings that `main` has read; it reads none itself.
  { from: "src/cli/build-cli.ts", to: "src/config/settings.ts" },
];

/** Rooms in which a secret leaves its type: where it is sealed, sent, shown once, or compared. */
const REVEALS: Readonly<Record<string, readonly string[]>> = {
  security: ["sealed, hashed, compared"],
  imanage: ["sent to iManage"],
  outbound: ["sent to the operator's proxy"],
  kms: ["the token that the service asks for"],
  http: ["handed to the client that asked"],
  pages: ["set as a cookie"],
  cli: ["shown once to the operator"],
  main: ["the keyset of a development folder, written to its file"],
};

/** The inner rooms reveal nothing but what they themselves made a `Secret`, or put into an address. */
const REVEAL_EXCEPTIONS: Readonly<Record<string, string>> = {
  "src/domain/secret.ts": "the type itself",
  "src/broker/authorization/begin-connect.ts": "the one-use start link",
  "src/broker/authorization/receive-callback.ts": "the one-use completion, in the client's own URL",
  "src/broker/portal/open-portal.ts": "the one-use link of a client's person",
  "src/broker/organisations/read-secrets.ts": "is the configured secret the one that is stored?",
  "src/ops/http-audit-sink.ts": "the bearer token for where the audit goes",
  "src/ops/operator-identity-provider.ts": "what openid-client sends to the operators' identity provider",
  "src/broker/libraries/remember-libraries.ts": "what an admin may do is sealed as text, and read again",
  "src/sync/change.ts": "a change is sealed as text, and read again",
};

const INNER = ["domain", "broker", "sync", "events"];

const files = typescriptFiles("src");
const imports = files.flatMap((file) => importsOf(file));
const told = ({ from, to }: Import) => `${from} imports ${to}`;

/** Imports against the arrows. */
const outward = (all: readonly Import[]): readonly Import[] =>
  all
    .filter(({ to }) => isOurs(to))
    .filter(({ from, to }) => roomOf(from) !== roomOf(to) && !ARROWS[roomOf(from)]?.includes(roomOf(to)))
    .filter(
      ({ from, to, typeOnly }) =>
        !(typeOnly && TYPE_ONLY_EXCEPTIONS.some((known) => known.from === from && known.to === to)),
    );

describe("the arrows", () => {
  it("are drawn for every room, and there is no file outside a room", () => {
    expect([...new Set(files.map(roomOf))].filter((room) => !Object.hasOwn(ARROWS, room))).toEqual([]);
  });

  it("point inward: a room imports only what it may", () => {
    expect(outward(imports).map(told)).toEqual([]);
  });

  it("from sync and events end at the ports of the broker", () => {
    const wrong = imports
      .filter(({ from }) => ["sync", "events"].includes(roomOf(from)))
      .filter(({ to }) => roomOf(to) === "broker" && isOurs(to) && !BROKER_FOR_SYNC.test(to));
    expect(wrong.map(told)).toEqual([]);
  });

  it("leave the store, iManage and the workers with nothing of the broker but types", () => {
    // What they implement or are handed: an adapter that ran a story itself would decide something.
    const wrong = imports
      .filter(({ from }) =>
        ["store", "imanage", "outbound", "security", "kms", "ops", "workers"].includes(roomOf(from)),
      )
      .filter(
        ({ to, typeOnly }) => isOurs(to) && ["broker", "sync", "events"].includes(roomOf(to)) && !typeOnly,
      );
    expect(wrong.map(told)).toEqual([]);
  });

  it("let no library and nothing of Node into the inner rooms but what is named", () => {
    const wrong = imports
      .filter(({ from, to }) => INNER.includes(roomOf(from)) && !isOurs(to))
      .filter(({ from, to }) => !PACKAGES[roomOf(from)]?.includes(to));
    expect(wrong.map(told)).toEqual([]);
  });

  it("lead nowhere outside src, and every exception is still needed", () => {
    expect(imports.filter(({ to }) => to.startsWith("..") || /^(test|scripts)\//.test(to)).map(told)).toEqual(
      [],
    );
    for (const { from, to } of TYPE_ONLY_EXCEPTIONS) {
      expect(imports).toContainEqual({ from, to, typeOnly: true });
    }
  });
});

describe("what comes from outside", () => {
  const uses = (pattern: RegExp) => files.filter((file) => pattern.test(withoutComments(read(file))));

  it("the environment is read by config, and by the programs of main alone", () => {
    const allowed = ["config", "main", "simulator"];
    expect(uses(/\bprocess\.env\b/).filter((file) => !allowed.includes(roomOf(file)))).toEqual([]);
  });

  it("time and chance are given to the inner rooms, never taken", () => {
    // `new Date(at)` only spells a moment that was given.
    const taken =
      /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bperformance\.|\bset(Timeout|Interval|Immediate)\b|\bcrypto\b|\bprocess\.|\bglobalThis\b|\bfetch\(/;
    expect(uses(taken).filter((file) => INNER.includes(roomOf(file)))).toEqual([]);
  });

  it("a secret leaves its type only where it must", () => {
    const revealing = uses(/\breveal\(/);
    expect(
      revealing.filter(
        (file) => !Object.hasOwn(REVEALS, roomOf(file)) && !Object.hasOwn(REVEAL_EXCEPTIONS, file),
      ),
    ).toEqual([]);
    for (const file of Object.keys(REVEAL_EXCEPTIONS)) expect(revealing).toContain(file);
  });
});

describe("the one who draws them", () => {
  it("sees every way to import, and tells types from values", () => {
    const text = `import { a } from "../broker/a.ts";
import type { B } from '../broker/b.ts';
import {
  type C,
  type D,
} from "./c.ts";
import { type E, f } from "./e.ts";
import "zod-openapi";
export { g } from "./g.ts";
export type { H } from "./h.ts";
export * from "./i.ts";
const j = await import("../store/j.ts");
const note = 'import "./not-this.ts"';
`;
    expect(importsOf("src/http/x.ts", text).map(({ to, typeOnly }) => [to, typeOnly])).toEqual([
      ["src/broker/a.ts", false],
      ["src/broker/b.ts", true],
      ["src/http/c.ts", true],
      ["src/http/e.ts", false],
      ["zod-openapi", false],
      ["src/http/g.ts", false],
      ["src/http/h.ts", true],
      ["src/http/i.ts", false],
      ["src/store/j.ts", false],
    ]);
  });

  it.each([
    ["src/domain/grant.ts", "src/broker/ports.ts"],
    ["src/broker/refresh/refresh-grant.ts", "src/store/keys.ts"],
    ["src/broker/refresh/refresh-grant.ts", "src/sync/ports.ts"],
    ["src/http/routes.ts", "src/store/keys.ts"],
    ["src/pages/layout.ts", "src/http/route.ts"],
    ["src/cli/build-cli.ts", "src/main/compose.ts"],
    ["src/cli/build-cli.ts", "src/config/settings.ts"],
    ["src/outbound/outbound.ts", "src/simulator/tokens.ts"],
    ["src/simulator/tokens.ts", "src/domain/secret.ts"],
    ["src/config/settings.ts", "src/domain/id.ts"],
    ["src/newcomer/a.ts", "src/domain/id.ts"],
  ])("refuses %s → %s", (from, to) => {
    expect(outward([{ from, to, typeOnly: false }])).toHaveLength(1);
  });

  it("does not take a comment for code", () => {
    expect(withoutComments("a(); // Date.now()\n/** `process.env` */ b('http://x');")).toBe(
      "a(); \n b('http://x');",
    );
  });
});
