import { expect, it } from "vitest";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import { routes } from "../../src/http/routes.ts";
import { begin, returned } from "../kit/connecting.ts";
import { Seeded } from "../kit/seeded.ts";
import { AMELIA, RETURN_URL, type World, world } from "../kit/world.ts";

it("T39 six hundred malformed requests, half of them to pages, get 4xx or an answer, never 5xx, and no prototype is touched", async () => {
  const built = await world();
  const seeded = new Seeded();
  console.log(`fuzzed requests: TEST_SEED=${seeded.seed}`);
  const prototype = snapshot();
  const known = await records(built);
  const auth = await bearer(built);
  const failed: string[] = [];
  const statuses: Record<number, number> = {};

  const fire = async (n: number) => {
    const { method, url, headers, body } = request(seeded, known);
    const answer = await fetch(`${built.base}${url}`, {
      method,
      headers: { authorization: auth, ...headers },
      redirect: "manual",
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
    if (answer.status >= 500)
      failed.push(`${n}: ${answer.status} ${method} ${url} ${body?.slice(0, 300)} → ${text.slice(0, 200)}`);
    if (answer.headers.get("content-type")?.includes("json")) JSON.parse(text);
  };
  for (let at = 0; at < 600; at += 20) await Promise.all(Array.from({ length: 20 }, (_, n) => fire(at + n)));

  expect(failed).toEqual([]);
  expect(snapshot()).toEqual(prototype);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect(Object.keys(statuses).map(Number)).toEqual(expect.arrayContaining([400, 404]));
  // The broker is as good as before.
  expect((await built.connect()).body).toMatchObject({ state: "connected" });
}, 30_000);

it.each([
  ["a subject", { subject: { type: "user", id: "\ud800" } }],
  ["an issuer", { subject: { type: "user", id: "u-1", issuer: "a\udfff" } }],
  ["a login hint", { login_hint: "\udc00\ud800" }],
])(
  "T39 %s with half a character is refused, and no record that Redis cannot read again is made",
  async (_, change) => {
    const built = await world();
    const sound = { server: built.server, subject: { type: "user", id: "u-1" }, return_url: RETURN_URL };
    const answer = await built.client.call("POST", "/v1/connect-sessions", { ...sound, ...change });
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  },
);

it("T39 half a character in a name that iManage tells is mended; in an id it is not iManage's", async () => {
  const built = await world();
  const user = { id: "amelia.hart", customer_id: 5948, name: "Amelia\ud800", email: "\udfff" };
  const tell = (change: object, times = 1) =>
    built.simulator.addFault({
      on: { route: "discovery" },
      times,
      do: {
        answer: { body: { data: { auth_status: "authenticated", user: { ...user, ...change }, work: {} } } },
      },
    });
  tell({});
  const page = `${built.base}/servers/${built.server}/libraries`;
  const connected = await built.connect();
  expect(connected.body).toMatchObject({ state: "connected" });
  const grant = await built.client.call("GET", `/v1/grants/${connected.body.grant}`);
  expect(grant.body).toMatchObject({ owner: { name: "Amelia\ufffd", email: "\ufffd" } });
  tell({}, 2);
  const lent = await lendLibrary(page, "ACTIVE", { ...AMELIA, email: "amelia.hart" });
  expect(lent.url).toContain("authorized=ACTIVE");

  tell({ id: "amelia\ud800" }, 3);
  expect((await built.connect()).body.code).toBe("imanage_unavailable");
  expect((await built.connect()).body).toMatchObject({ state: "connected", grant: connected.body.grant });
});

it.each([
  "Zoë Ünal 王 😀",
  "a\u2028b\u202e",
  "'; DROP TABLE grants; --",
  "__proto__",
  "constructor",
  "x".repeat(200),
  '{"id":1}',
  " * ",
  "u-1\\",
])("T39 a subject called %j connects like any other", async (id) => {
  const built = await world();
  const { session, completion } = await returned(built, AMELIA, id);
  const completed = await built.client.call("POST", `/v1/connect-sessions/${session}/complete`, {
    completion,
    subject: { type: "user", id },
  });
  expect(completed.body).toMatchObject({ state: "connected", subject: { id } });
  const token = await built.client.accessToken({ server: built.server, subject: { type: "user", id } });
  expect(token.status).toBe(200);
});

function snapshot(): readonly string[] {
  return [Object.prototype, Array.prototype, Function.prototype, String.prototype].map((of) =>
    Reflect.ownKeys(of).map(String).join(" "),
  );
}

async function bearer({ client }: World): Promise<string> {
  const answer = await client.token({ grant_type: "client_credentials" });
  return `Bearer ${answer.body.access_token}`;
}

interface Known {
  readonly ids: readonly string[];
  readonly server: string;
  readonly organisation: string;
}

async function records(built: World): Promise<Known> {
  const connected = await built.connect();
  const begun = await begin(built, "u-begun");
  const { server, organisation, client } = built;
  return {
    server,
    organisation,
    // The grant is not among them by chance: it is deleted by requests that happen to be well formed.
    ids: [connected.body.grant!, begun.body.id, server, organisation, client.id, `syn_${"0".repeat(36)}`],
  };
}

interface Fuzzed {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string | undefined;
}

function request(seeded: Seeded, known: Known): Fuzzed {
  const route = seeded.pick(seeded.next() < 0.5 ? API : PAGES);
  const path = route.path.replaceAll(/\{\w+\}/g, () =>
    seeded.next() < 0.5 ? seeded.pick(known.ids) : encodeURIComponent(seeded.pick(SEGMENTS)),
  );
  const query = seeded.next() < 0.4 || route.query ? `?${queryOf(seeded, known)}` : "";
  const method = route.method.toUpperCase();
  if (method === "GET") return { method, url: path + query, headers: {}, body: undefined };
  const form = route.path === "/oauth2/token";
  const type = seeded.next() < 0.93 ? (form ? FORM : JSON_TYPE) : seeded.pick(TYPES);
  const body = form ? queryOf(seeded, known) : bodyOf(seeded, known);
  return { method, url: path + query, headers: { "content-type": type }, body };
}

const JSON_TYPE = "application/json";
const FORM = "application/x-www-form-urlencoded";
const TYPES = [
  "text/plain",
  "application/json; charset=utf-7",
  "application/json;charset=utf-16",
  "x",
  "multipart/form-data",
  FORM,
  JSON_TYPE,
];

/** The interface's own; each with what the OpenAPI document says of it: openapi-fuzz.test.ts. */
const API: readonly { method: string; path: string; query?: boolean }[] = [
  ...routes.map(({ method, path, query }) => ({ method, path, query: query !== undefined })),
  { method: "post", path: "/oauth2/token" },
];

const PAGES: typeof API = [
  { method: "get", path: "/oauth2/callback/{registration}", query: true },
  { method: "get", path: "/connect/start/{start}" },
  { method: "get", path: "/connect/result/{session}" },
  { method: "get", path: "/connect/error/{code}", query: true },
  { method: "get", path: "/servers/{server}/libraries", query: true },
];

const SEGMENTS = [
  "",
  "..",
  "%",
  "\u0000",
  "__proto__",
  "a/b",
  "grt_x",
  "x".repeat(300),
  "'",
  "😀",
  "constructor",
  "\n",
  "{id}",
];

const NAMES = [
  "server",
  "subject",
  "return_url",
  "login_hint",
  "completion",
  "rejected",
  "min_ttl",
  "purpose",
  "type",
  "id",
  "issuer",
  "organisation",
  "cursor",
  "limit",
  "after",
  "library",
  "interval",
  "fields",
  "wait",
  "grant_type",
  "subject_token",
  "subject_token_type",
  "audience",
  "scope",
  "state",
  "code",
  "error",
  "iss",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "",
  "a.b",
  "a[b]",
  "a[]",
  "polluted",
] as const;

function queryOf(seeded: Seeded, known: Known): string {
  const pairs = Array.from({ length: seeded.below(6) }, () => {
    const value = seeded.next() < 0.3 ? seeded.pick(known.ids) : String(leaf(seeded, known));
    return `${encodeURIComponent(seeded.pick(NAMES))}=${encodeURIComponent(value.toWellFormed())}`;
  });
  if (seeded.next() < 0.1)
    pairs.push(seeded.pick(["%", "%zz", "&&&", "=", "%00=%00", "__proto__[polluted]=1", "limit=1&limit=2"]));
  return pairs.join("&");
}

/** A sound body with some of it spoilt, or something else altogether. */
function bodyOf(seeded: Seeded, known: Known): string {
  if (seeded.next() < 0.1)
    return seeded.pick([
      "",
      "{",
      "[]",
      "null",
      '"x"',
      "1e999",
      "{}{}",
      "\ufeff{}",
      "[".repeat(5_000),
      `{"a":${"[".repeat(900)}${"]".repeat(900)}}`,
      "x".repeat(70_000),
    ]);
  const sound: Record<string, unknown> = {
    server: known.server,
    subject: { type: "user", id: `u-${seeded.below(9)}` },
    return_url: RETURN_URL,
  };
  if (seeded.next() < 0.5) delete sound.return_url;
  for (let n = seeded.below(4); n > 0; n--) {
    const inside = seeded.next() < 0.4 ? (sound.subject as Record<string, unknown>) : sound;
    if (typeof inside !== "object" || inside === null) break;
    inside[seeded.pick(NAMES.filter((name) => name !== "__proto__"))] = value(seeded, known, 3);
  }
  const text = JSON.stringify(sound);
  // JSON.parse makes it an own member, and a careless merge a prototype.
  return seeded.next() < 0.15
    ? text.replace("{", '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},')
    : text;
}

function value(seeded: Seeded, known: Known, depth: number): unknown {
  if (depth === 0 || seeded.next() < 0.7) return leaf(seeded, known);
  const members = Array.from({ length: seeded.below(4) }, () => value(seeded, known, depth - 1));
  return seeded.next() < 0.5
    ? members
    : Object.fromEntries(members.map((member) => [seeded.pick(NAMES), member]));
}

const LEAVES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e21,
  -0,
  Number.MAX_SAFE_INTEGER,
  "",
  " ",
  "0",
  "-1",
  "1e9",
  "null",
  "user",
  "library",
  "ACTIVE",
  "\u0000",
  "\ud800",
  "a\udc00b",
  "\r\nX: y",
  "\u202e",
  "x".repeat(257),
  "x".repeat(5_000),
  "😀".repeat(100),
  "client_credentials",
  "urn:ietf:params:oauth:grant-type:token-exchange",
  "../../etc",
  "{{7*7}}",
  "%00",
  "*",
  "$ne",
  "A".repeat(22),
  "99999999999999999999",
  "NaN",
  "Infinity",
  "{",
  "'",
  '"',
  "\\",
  "b1:{o:x}:gate",
];

const leaf = (seeded: Seeded, known: Known): unknown =>
  seeded.next() < 0.2 ? seeded.pick(known.ids) : seeded.pick(LEAVES);
