import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { readTokenAnswer } from "../../src/imanage/read-token-answer.ts";
import type { RawAnswer } from "../../src/outbound/outbound.ts";

const NOW = Date.parse("2026-11-20T09:00:00Z");
const WHOLE = { access_token: "at-1", token_type: "Bearer", expires_in: 1800, refresh_token: "rt-1" };

const raw = (body: unknown, change: Partial<RawAnswer> = {}): RawAnswer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  cutBy: undefined,
  elapsedMs: 12,
  ...change,
});

const read = (body: unknown, change: Partial<RawAnswer> = {}, presented?: string) =>
  readTokenAnswer(raw(body, change), {
    now: NOW,
    ...(presented !== undefined && { presented: new Secret(presented) }),
  });

/** Only here are tokens looked at in the clear. */
function tokens(outcome: ReturnType<typeof read>) {
  if (outcome.kind !== "answered") throw new Error(`not answered: ${outcome.kind}`);
  const { answer, salvaged } = outcome;
  return { access: answer.accessToken?.reveal(), refresh: answer.refreshToken?.reveal(), salvaged };
}

test("an answer as RFC 6749 §5.1 has it is read whole", () => {
  const outcome = read({ ...WHOLE, scope: "user" });
  expect(tokens(outcome)).toEqual({ access: "at-1", refresh: "rt-1", salvaged: false });
  expect(outcome).toMatchObject({ answer: { accessTokenLifeMs: 1_800_000, scope: "user" } });
});

test("T36 an outcome prints no token, whichever way it is printed", () => {
  const outcome = read(WHOLE);
  expect(`${inspect(outcome, { depth: 9, showHidden: true })}${JSON.stringify(outcome)}`).not.toMatch(
    /[ar]t-1/,
  );
});

describe("F10 no refresh token in the answer is none, and not an error", () => {
  test.each([
    ["null", { ...WHOLE, refresh_token: null }],
    ["absent", { ...WHOLE, refresh_token: undefined }],
    ["empty", { ...WHOLE, refresh_token: "" }],
    ["a number", { ...WHOLE, refresh_token: 7 }],
    ["with a line break", { ...WHOLE, refresh_token: "rt\r\nX-Injected: 1" }],
    ["with a space", { ...WHOLE, refresh_token: "rt 1" }],
    ["beyond ASCII", { ...WHOLE, refresh_token: "rt-é" }],
    ["longer than 16 KiB", { ...WHOLE, refresh_token: "r".repeat(16_385) }],
  ])("%s", (_title, body) => {
    expect(tokens(read(body))).toEqual({ access: "at-1", refresh: undefined, salvaged: false });
  });
});

describe("F11 expires_in is a hint: 5 min where it says nothing, within 30 s and 24 h otherwise", () => {
  test.each([
    [undefined, 300_000],
    [null, 300_000],
    [0, 300_000],
    [-1, 300_000],
    ["", 300_000],
    ["soon", 300_000],
    ["1e9", 300_000],
    [true, 300_000],
    [[1800], 300_000],
    ["1800", 1_800_000],
    [1800, 1_800_000],
    [1799.6, 1_799_600],
    [1, 30_000],
    [1e12, 86_400_000],
    ["999999999999999", 86_400_000],
  ])("%j", (expires_in, lifeMs) => {
    expect(read({ ...WHOLE, expires_in })).toMatchObject({ answer: { accessTokenLifeMs: lifeMs } });
  });

  test("beyond what a number holds", () => {
    expect(read(`{"access_token":"a","token_type":"b","expires_in":1e999}`)).toMatchObject({
      answer: { accessTokenLifeMs: 86_400_000 },
    });
  });
});

test.each([-1, 1])("F14 a Date header %i day off changes nothing", (days) => {
  const date = new Date(NOW + days * 86_400_000).toUTCString();
  expect(read(WHOLE, { headers: { date } })).toEqual(read(WHOLE));
});

describe("F02 whatever is wrong around it, a complete token is kept", () => {
  const text = JSON.stringify(WHOLE);
  test.each([
    ["status 201", text, { status: 201 }],
    ["no token_type", JSON.stringify({ ...WHOLE, token_type: undefined }), {}],
    ["a redirect", text, { status: 302 }],
    ["a server error", text, { status: 502 }],
    ["inside an envelope", JSON.stringify({ data: WHOLE }), {}],
    ["inside an array", JSON.stringify([WHOLE]), {}],
    ["inside a JSON string", JSON.stringify(text), {}],
    ["inside HTML", `<pre>${text}</pre>`, {}],
    ["behind a script guard", `)]}',\n${text}`, {}],
    ["twice in a row", text + text, {}],
    ["with a comma too many", `${text.slice(0, -1)},}`, {}],
    ["cut at the last brace", text.slice(0, -1), { cutBy: "connection_closed" }],
    ["cut, though nobody noticed", text.slice(0, -1), {}],
    ["too deep beside it", `${text.slice(0, -1)},"x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, {}],
    ["65 members too many", JSON.stringify({ ...WHOLE, ...manyMembers(65) }), {}],
  ] as const)("%s", (_title, body, change) => {
    expect(tokens(read(body, change))).toEqual({ access: "at-1", refresh: "rt-1", salvaged: true });
  });

  test("a byte order mark in front is no damage", () => {
    expect(tokens(read(`\ufeff${text}`))).toEqual({ access: "at-1", refresh: "rt-1", salvaged: false });
  });

  test("packed by a proxy that was asked not to", () => {
    const body = gzipSync(text);
    expect(tokens(read("", { body, headers: { "content-encoding": "gzip" } })).refresh).toBe("rt-1");
    const cut = { body: body.subarray(0, -9), headers: { "content-encoding": "gzip" } } as const;
    expect(tokens(read("", { ...cut, cutBy: "connection_closed" })).refresh).toBe("rt-1");
  });

  test("a refresh token alone is kept, and an access token alone", () => {
    expect(tokens(read('{"refresh_token":"rt-1","access_tok', { cutBy: "deadline" }))).toEqual({
      access: undefined,
      refresh: "rt-1",
      salvaged: true,
    });
    expect(tokens(read('{"access_token":"at-1","refresh_tok', { cutBy: "deadline" })).access).toBe("at-1");
  });

  test("a token that was cut itself is not taken for one", () => {
    expect(read('{"refresh_token":"rt-1', { cutBy: "connection_closed" })).toEqual({
      kind: "unknown",
      reason: "connection_closed",
      elapsedMs: 12,
    });
  });

  test("a mere echo of the token that was sent brought nothing", () => {
    expect(read({ refresh_token: "rt-0" }, {}, "rt-0")).toMatchObject({
      kind: "refused",
      refusal: "upstream",
    });
    expect(tokens(read({ refresh_token: "rt-1" }, {}, "rt-0")).refresh).toBe("rt-1");
    expect(tokens(read({ ...WHOLE, refresh_token: "rt-0" }, {}, "rt-0")).refresh).toBe("rt-0");
  });

  test("a refusal that names our parameter with a word is not a token", () => {
    expect(read({ errors: { refresh_token: "invalid" } }, { status: 400 })).toMatchObject({
      kind: "refused",
    });
  });

  const runs = Number(process.env.TOKEN_BODY_RUNS ?? 3_000);
  const seed = Number(process.env.TOKEN_BODY_SEED ?? Date.now() % 2 ** 31);
  test(`of ${runs} mutated bodies none loses a complete refresh_token (F02)`, () => {
    console.log(`seed ${seed}: TOKEN_BODY_SEED of this run`);
    fc.assert(
      fc.property(mutatedBody, ({ text, token, status, cutBy }) => {
        expect(tokens(read(text, { status, cutBy })).refresh).toBe(token);
      }),
      { numRuns: runs, seed },
    );
  });
});

function manyMembers(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, index]));
}

/** A token of any printable characters, its literal written with any escapes JSON allows. */
const literal = fc
  .tuple(
    fc.array(fc.tuple(fc.integer({ min: 0x21, max: 0x7e }), fc.integer({ min: 0, max: 3 })), {
      minLength: 1,
      maxLength: 80,
    }),
    fc.constantFrom("", " ", "\n\t", "  \r\n"),
    fc.constantFrom("", " ", "\n"),
  )
  .map(([characters, before, after]) => {
    const token = String.fromCharCode(...characters.map(([code]) => code));
    const written = characters.map(([code, how]) => escaped(code, how)).join("");
    return { token, text: `"refresh_token"${before}:${after}"${written}"` };
  });

function escaped(code: number, how: number): string {
  const char = String.fromCharCode(code);
  const hex = code.toString(16).padStart(4, "0");
  if (how === 0) return `\\u${hex}`;
  if (how === 1) return `\\u${hex.toUpperCase()}`;
  if (char === '"' || char === "\\") return `\\${char}`;
  return how === 2 && char === "/" ? "\\/" : char;
}

/** What stands before and after the literal: parts of an answer, in any order, damaged in any place. */
const surroundings = fc
  .tuple(
    fc.array(
      fc.constantFrom(
        '"access_token":"at-1"',
        '"token_type":"Bearer"',
        '"expires_in":1800',
        '"scope":"user"',
        '"error":null',
        '{"data":',
        "<html><body>",
        "[[[[[[[[[[[[",
        '"x":{"y":[1,2,{"z":"\\""}]}',
        "\u0000\u0001",
        "HTTP/1.1 200 OK\r\n\r\n",
        '"note":"a \\u0022 in it"',
      ),
      { maxLength: 6 },
    ),
    fc.string({ maxLength: 12 }),
    fc.nat(),
    fc.nat(6),
  )
  .map(([parts, noise, at, cut]) => {
    const text = parts.join(",");
    const place = at % (text.length + 1);
    return text.slice(0, place) + noise + text.slice(place + cut);
  })
  // The generator must not write a second one, of which nobody could say which is meant.
  .filter((text) => !text.includes("refresh_token"));

const mutatedBody = fc
  .record({
    literal,
    before: surroundings,
    after: surroundings,
    open: fc.constantFrom("{", "", "{,", "\ufeff{", "[{"),
    close: fc.constantFrom("}", "", ",}", "}}", "}\n<!-- served by proxy -->"),
    keep: fc.nat(),
    status: fc.constantFrom(200, 200, 200, 201, 202, 206, 302),
    cutBy: fc.constantFrom(undefined, "connection_closed" as const, "deadline" as const),
  })
  .map(({ literal: { token, text }, before, after, open, close, keep, status, cutBy }) => {
    const tail = `,${after}${close}`;
    const kept = cutBy === undefined ? tail : tail.slice(0, keep % (tail.length + 1));
    return { token, status, cutBy, text: `${open}${before}${before === "" ? "" : ","}${text}${kept}` };
  });

describe("the table of refusals", () => {
  const html = "<!doctype html><title>Sign in</title>";
  const envelope = (code: unknown) => ({ error: { code, code_message: "invalid_grant", messages: [] } });
  test.each([
    [
      "invalid_grant",
      400,
      { error: "invalid_grant", error_description: "invalid_client" },
      {},
      "invalid_grant",
    ],
    ["invalid_grant on a 401", 401, { error: "invalid_grant" }, {}, "invalid_grant"],
    ["invalid_grant on a 200", 200, { error: "invalid_grant" }, {}, "invalid_grant"],
    ["in capitals, in iManage's envelope", 400, envelope("INVALID_GRANT"), {}, "invalid_grant"],
    ["an unknown code in the envelope; its prose is not read", 400, envelope("NRC_1"), {}, "configuration"],
    ["a code that is none", 400, envelope({ x: 1 }), {}, "upstream"],
    ["invalid_client", 401, { error: "invalid_client" }, {}, "invalid_client"],
    ["unauthorized_client", 400, { error: "unauthorized_client" }, {}, "invalid_client"],
    ["invalid_client on a 403", 403, { error: "invalid_client" }, {}, "invalid_client"],
    ["a 401 without a body", 401, "", {}, "invalid_client"],
    ["a 401 with HTML", 401, html, {}, "invalid_client"],
    [
      "a 401 whose challenge names it",
      401,
      "",
      { "www-authenticate": 'Basic realm="x", error="invalid_client"' },
      "invalid_client",
    ],
    [
      "a 401 whose challenge says the grant",
      401,
      "",
      { "www-authenticate": 'Bearer error="invalid_grant"' },
      "invalid_grant",
    ],
    ["a proxy's sign-on", 401, html, { "www-authenticate": "Negotiate, NTLM" }, "upstream"],
    ["403", 403, "", {}, "forbidden"],
    ["403 with access_denied", 403, { error: "access_denied" }, {}, "forbidden"],
    ["403 with invalid_grant", 403, { error: "invalid_grant" }, {}, "forbidden"],
    ["429", 429, html, {}, "throttled"],
    ["429 with a code", 429, { error: "invalid_grant" }, {}, "throttled"],
    ["500 with a code", 500, { error: "invalid_grant" }, {}, "upstream"],
    ["503", 503, "", {}, "upstream"],
    ["temporarily_unavailable", 400, { error: "temporarily_unavailable" }, {}, "upstream"],
    ["invalid_scope", 400, { error: "invalid_scope" }, {}, "configuration"],
    ["a code we do not know", 400, { error: "something_else" }, {}, "configuration"],
    ["a 400 without a body", 400, "", {}, "upstream"],
    ["a 404 with HTML", 404, html, {}, "upstream"],
    ["F03 200 with HTML", 200, html, {}, "upstream"],
    ["F03 200 without a body", 200, "", {}, "upstream"],
    ["200 with an empty object", 200, {}, {}, "upstream"],
    ["a redirect to a sign-on page", 302, "", { location: "https://idp.example" }, "upstream"],
    [
      "an error that is too deep to be read",
      400,
      `{"error":"invalid_grant","x":${"[".repeat(9)}${"]".repeat(9)}}`,
      {},
      "upstream",
    ],
  ] as const)("%s", (_title, status, body, headers, refusal) => {
    expect(read(body, { status, headers })).toMatchObject({ kind: "refused", status, refusal });
  });

  test("an error status is a verdict also when its body was cut, and its code then is not guessed", () => {
    expect(read('{"error":"invalid_gr', { status: 400, cutBy: "connection_closed" })).toMatchObject({
      kind: "refused",
      refusal: "upstream",
    });
  });

  test("F07 how long to stay away comes with the refusal", () => {
    expect(read("", { status: 503, headers: { "retry-after": "7" } })).toMatchObject({ retryAfterMs: 7_000 });
    expect(read("", { status: 429 })).toMatchObject({ retryAfterMs: undefined });
  });
});

describe("T16 a hostile body is bounded", () => {
  test("10^5 levels are not parsed", () => {
    const started = performance.now();
    expect(read(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`)).toMatchObject({ refusal: "upstream" });
    expect(performance.now() - started).toBeLessThan(500);
  });

  test("a gzip bomb is not unpacked beyond the limit", () => {
    const body = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20), { level: 9 });
    const before = process.memoryUsage().arrayBuffers;
    expect(read("", { body, headers: { "content-encoding": "gzip" } })).toMatchObject({
      refusal: "upstream",
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
  });

  test("a compressed answer is read up to the limit, and one that becomes more than that is not read at all", () => {
    const answer = JSON.stringify({ access_token: "at", token_type: "Bearer", expires_in: 60 });
    const headers = { "content-encoding": "gzip" };
    const packed = (spaces: number) => gzipSync(answer + " ".repeat(spaces));
    expect(read("", { body: packed(200 * 1024), headers })).toMatchObject({ kind: "answered" });
    expect(read("", { body: packed(257 * 1024), headers })).toMatchObject({ refusal: "upstream" });
  });

  test.each([
    ["half-open literals", '"refresh_token":"'.repeat(15_000)],
    ["keys and spaces", `"refresh_token"${" ".repeat(250_000)}`],
    ["backslashes", `"refresh_token":"${"\\".repeat(250_000)}`],
  ])("256 KiB of %s are read in linear time", (_title, body) => {
    const started = performance.now();
    read(body);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
