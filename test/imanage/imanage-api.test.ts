import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { endpointsOf } from "../../src/domain/server.ts";
import { apiRootOf } from "../../src/imanage/api-root.ts";
import { ImanageApi } from "../../src/imanage/imanage-api.ts";
import { ImanageAuthorizationServer } from "../../src/imanage/imanage-authorization-server.ts";
import { ImanageDocuments } from "../../src/imanage/imanage-documents.ts";
import type { DocumentQuery } from "../../src/sync/ports.ts";
import { clientsOf, credentials, json, outboundTo, type Seen, serverAt, startServer } from "./kit.ts";

const TOKEN = new Secret("at-canary");
const USER = { id: "a.hart", name: "A", email: "a@x.example", customer_id: 1 };
const discovery = (change: object = {}) => ({
  data: { auth_status: "authenticated", dms_version: "10.2.1", user: USER, ...change },
});

describe("the root of the REST API is read from versions[], and lies on the server's own origin", () => {
  const server = { endpoints: endpointsOf("https://firm.example") };
  const usual = "https://firm.example/work/api/v2";
  test.each([
    ["as named", [{ name: "v2", url: "https://firm.example/dms/api/v2" }], "https://firm.example/dms/api/v2"],
    ["without its last slash", [{ name: "v2", url: `${usual}/` }], usual],
    [
      "v2 among others",
      [
        { name: "v1", url: "https://firm.example/v1" },
        { name: "v2", url: usual },
      ],
      usual,
    ],
    ["not at another host", [{ name: "v2", url: "https://evil.example/work/api/v2" }], usual],
    ["not at another port", [{ name: "v2", url: "https://firm.example:8443/work/api/v2" }], usual],
    ["not over http", [{ name: "v2", url: "http://firm.example/work/api/v2" }], usual],
    ["not with a user in front", [{ name: "v2", url: "https://firm.example@evil.example/" }], usual],
    ["not with a query behind", [{ name: "v2", url: "https://firm.example/v2?x=" }], usual],
    ["not where it is no URL", [{ name: "v2", url: "/work/api/v2" }], usual],
    ["usual where none is v2", [{ name: "v3", url: "https://firm.example/v3" }], usual],
    ["usual where there are none", undefined, usual],
  ])("%s", (_title, versions, root) => {
    expect(apiRootOf(server, versions)).toBe(root);
  });
});

/** A server that answers `GET /api` as told. */
async function whoAmIAt(answer: (res: ServerResponse) => void) {
  const { origin, seen } = await startServer((_seen, _req, res) => answer(res));
  const { api, server } = clientsOf(origin);
  return { outcome: await api.whoAmI(server, TOKEN), seen };
}

describe("whoAmI", () => {
  test.each([
    [1, "1"],
    ["5948", "5948"],
    [5948, "5948"],
  ])("T10 customer id %j becomes %j", async (customer_id, expected) => {
    const { outcome } = await whoAmIAt((res) => res.end(json(discovery({ user: { ...USER, customer_id } }))));
    expect(outcome).toMatchObject({
      kind: "ok",
      value: { user: { customerId: expected, userId: "a.hart" } },
    });
  });

  test.each([
    ["401", 401, "", { kind: "unauthorized" }],
    [
      "200 and unauthenticated",
      200,
      json(discovery({ auth_status: "unauthenticated" })),
      { kind: "unauthorized" },
    ],
    [
      "200 and anything but authenticated",
      200,
      json(discovery({ auth_status: "pending" })),
      { kind: "unauthorized" },
    ],
    ["403", 403, "", { kind: "forbidden" }],
    ["429 without a time", 429, "", { kind: "throttled", retryAfterMs: 5_000 }],
    ["F03 200 with HTML", 200, "<html>Sign in</html>", { kind: "unavailable", reason: "not_json" }],
    [
      "authenticated as nobody",
      200,
      json(discovery({ user: undefined })),
      { kind: "unavailable", reason: "not_imanage" },
    ],
    [
      "a user of no customer",
      200,
      json(discovery({ user: { id: "x" } })),
      { kind: "unavailable", reason: "not_imanage" },
    ],
    ["some other service", 200, json({ hello: "world" }), { kind: "unavailable", reason: "not_imanage" }],
    ["T16 JSON too deep", 200, `{"data":${"[".repeat(1e5)}`, { kind: "unavailable", reason: "not_json" }],
    ["502", 502, "", { kind: "unavailable", reason: "status_502" }],
    ["a redirect to sign in", 302, "", { kind: "unavailable", reason: "status_302" }],
  ] as const)("%s", async (_title, status, body, expected) => {
    const { outcome } = await whoAmIAt((res) => res.writeHead(status, { location: "/login" }).end(body));
    expect(outcome).toEqual(expected);
  });

  test("a cut answer is unavailable, not half believed", async () => {
    const { outcome } = await whoAmIAt((res) => {
      res.writeHead(200, { "content-length": "9999" });
      res.write(json(discovery()), () => res.destroy());
    });
    expect(outcome).toEqual({ kind: "unavailable", reason: "connection_closed" });
  });

  test("T19 the token goes in X-Auth-Token and nowhere else", async () => {
    const { seen } = await whoAmIAt((res) => res.end(json(discovery())));
    const { url, headers, form } = seen[0] as Seen;
    expect(headers["x-auth-token"]).toBe("at-canary");
    expect([url, form.toString(), json({ ...headers, "x-auth-token": "" })].join()).not.toContain(
      "at-canary",
    );
  });
});

describe("T15 a token is sent to the server's own origin alone", () => {
  test("also when the discovery answer names another", async () => {
    const evil = await startServer((_seen, _req, res) => res.end("{}"));
    const honest = await startServer(({ url }, _req, res) =>
      res.end(
        json(
          url === "/api"
            ? discovery({ versions: [{ name: "v2", url: `${evil.origin}/work/api/v2` }] })
            : { data: { results: [] } },
        ),
      ),
    );
    const documents = new ImanageDocuments(new ImanageApi(outboundTo([honest.origin, evil.origin])));
    const page = await documents.listDocuments(serverAt(honest.origin), TOKEN, QUERY);
    expect(page).toMatchObject({ kind: "ok" });
    expect(evil.seen).toEqual([]);
  });
});

const QUERY: DocumentQuery = {
  customerId: "1",
  library: "ACTIVE",
  editedFrom: undefined,
  editedTo: undefined,
  cursor: undefined,
  limit: 10,
};
const ROW = { id: "ACTIVE!1.1", document_number: 1, version: 1 };

/** A server whose document lists are as told. */
async function pageOf(page: unknown, query: Partial<DocumentQuery> = {}) {
  const { origin, seen } = await startServer(({ url }, _req, res) =>
    res.end(json(url === "/api" ? discovery() : page)),
  );
  const { documents, server } = clientsOf(origin);
  return { outcome: await documents.listDocuments(server, TOKEN, { ...QUERY, ...query }), seen };
}

describe("documents", () => {
  test("unknown fields are ignored, odd ones become undefined, and rows without identity are counted", async () => {
    const { outcome } = await pageOf({
      data: {
        results: [
          {
            ...ROW,
            name: "A",
            brand_new: { x: 1 },
            edit_date: "2026-09-01T08:00:00.000",
            is_checked_out: "no",
          },
          { ...ROW, id: "ACTIVE!2.1", edit_date: "yesterday", size: "big", custom1: null },
          { ...ROW, id: undefined },
          { ...ROW, document_number: "1" },
          null,
        ],
      },
      cursor: "c1",
    });
    expect(outcome).toMatchObject({
      kind: "ok",
      value: {
        documents: [
          {
            id: "ACTIVE!1.1",
            name: "A",
            editedAt: Date.parse("2026-09-01T08:00:00Z"),
            checkedOut: undefined,
          },
          { id: "ACTIVE!2.1", editedAt: undefined, size: undefined, custom1: undefined },
        ],
        next: "c1",
        unreadable: 3,
      },
    });
  });

  test.each([
    ["null", null],
    ["empty", ""],
    ["absent", undefined],
  ])("a cursor that is %s ends the list", async (_title, cursor) => {
    const { outcome } = await pageOf({ data: { results: [ROW] }, cursor });
    expect(outcome).toMatchObject({ kind: "ok", value: { next: undefined } });
  });

  test("a cursor that does not move is a fault, and not the end", async () => {
    const { outcome } = await pageOf({ data: { results: [ROW] }, cursor: "c1" }, { cursor: "c1" });
    expect(outcome).toEqual({ kind: "unavailable", reason: "cursor_stuck" });
  });

  test("ids are encoded into the path, times and cursor into the query", async () => {
    const { seen } = await pageOf(
      { data: { results: [] } },
      { library: "A/../B?", customerId: "1/2", limit: 100_000, cursor: "a&b=c" },
    );
    expect(seen.map(({ url }) => url)).toEqual([
      "/api",
      "/work/api/v2/customers/1%2F2/libraries/A%2F..%2FB%3F/documents?paging_mode=standard_cursor&limit=9999&cursor=a%26b%3Dc",
    ]);
  });

  test.each([".", ".."])("a library %j would climb the path, so nothing is asked", async (library) => {
    const { outcome, seen } = await pageOf({ data: { results: [ROW] } }, { library });
    expect(outcome).toEqual({ kind: "unavailable", reason: "malformed_request" });
    expect(seen).toEqual([]);
  });

  test("the API root is asked for once, and the token still dies as unauthorized", async () => {
    let alive = true;
    const { origin, seen } = await startServer(({ url }, _req, res) => {
      if (!alive) res.writeHead(401).end();
      else res.end(json(url === "/api" ? discovery() : { data: { results: [] } }));
    });
    const { documents, server } = clientsOf(origin);
    await documents.listDocuments(server, TOKEN, QUERY);
    alive = false;
    expect(await documents.listDocuments(server, TOKEN, QUERY)).toEqual({ kind: "unauthorized" });
    expect(seen.filter(({ url }) => url === "/api").length).toBe(1);
  });
});

describe("libraries", () => {
  const user = { customerId: "1", userId: "a hart/x", name: undefined, email: undefined };
  /** `bits` and `groups` are answered by library. */
  async function librariesAt(answer: (library: string, what: string) => { status?: number; body: unknown }) {
    let underWay = 0;
    const most = { atOnce: 0 };
    const { origin, seen } = await startServer(({ url }, _req, res) => {
      underWay++;
      most.atOnce = Math.max(most.atOnce, underWay);
      // Long enough for everything that is under way at once to be seen together.
      setTimeout(() => {
        underWay--;
        const [, library, what] = /libraries\/([^/]+)\/(operations|users)/.exec(url) ?? [];
        if (url === "/api") return res.end(json(discovery()));
        if (library === undefined || what === undefined)
          return res.end(
            json({ data: Array.from({ length: 30 }, (_, i) => ({ id: `L${i}`, is_hidden: i })) }),
          );
        const { status = 200, body } = answer(library, what);
        return res.writeHead(status).end(json(body));
      }, 3);
    });
    const { api, server } = clientsOf(origin);
    return { outcome: await api.listLibraries(server, user, TOKEN), seen, most };
  }
  const none = (_library: string, what: string) => ({ body: what === "users" ? { data: [] } : { data: {} } });

  test("thirty are asked about four at a time, in the server's order", async () => {
    const { outcome, most } = await librariesAt(none);
    if (outcome.kind !== "ok") throw new Error(outcome.kind);
    expect(outcome.value.map(({ id }) => id)).toEqual(Array.from({ length: 30 }, (_, i) => `L${i}`));
    expect(outcome.value.slice(0, 2).map(({ hidden }) => hidden)).toEqual([false, true]);
    expect(most.atOnce).toBeLessThanOrEqual(4);
  });

  test.each([
    ["the admin tool", { m2_bits: { use_admin_tool: true } }, true],
    ["the admin tool, as a number", { m2_bits: { use_admin_tool: 1 } }, true],
    ["the third tier", { m4_bits: { admin_tier_3: true } }, true],
    ["neither", { m2_bits: { use_admin_tool: false }, m4_bits: { tier: 0, admin_tier_1: false } }, false],
    ["a word where a flag should be", { m2_bits: { use_admin_tool: "true" } }, false],
    ["nothing", {}, false],
  ])("operations with %s: %s", async (_title, data, admin) => {
    const { outcome } = await librariesAt((library, what) =>
      what === "operations" ? { body: { data } } : none(library, what),
    );
    if (outcome.kind !== "ok") throw new Error(outcome.kind);
    expect(outcome.value[0]).toMatchObject({ adminByOperations: admin, adminByGroup: false });
  });

  test("groups count by their id, whether or not the server filtered, and the user's id is encoded", async () => {
    const { outcome, seen } = await librariesAt((library, what) =>
      what === "users"
        ? {
            body: {
              data: library === "L0" ? [{ id: "EVERYONE" }, { id: "nrtadmin" }] : [{ id: "EVERYONE" }],
            },
          }
        : none(library, what),
    );
    if (outcome.kind !== "ok") throw new Error(outcome.kind);
    expect(outcome.value.filter(({ adminByGroup }) => adminByGroup).map(({ id }) => id)).toEqual(["L0"]);
    expect(
      seen.some(({ url }) => url.endsWith("/libraries/L0/users/a%20hart%2Fx/groups?alias=NRTADMIN")),
    ).toBe(true);
  });

  test.each([403, 404])("a library that may not be asked about (%i) is not administered", async (status) => {
    const { outcome } = await librariesAt((library, what) =>
      library === "L3" ? { status, body: {} } : none(library, what),
    );
    if (outcome.kind !== "ok") throw new Error(outcome.kind);
    expect(outcome.value[3]).toMatchObject({ adminByOperations: false, adminByGroup: false });
  });

  test("one library that cannot be read makes the answer unavailable: a gap would read as a refusal", async () => {
    const { outcome } = await librariesAt((library, what) =>
      library === "L3" ? { status: 500, body: {} } : none(library, what),
    );
    expect(outcome).toEqual({ kind: "unavailable", reason: "status_500" });
  });
});

describe("revoking", () => {
  test("T10 the client secret does not go to a revocation endpoint on another origin than it is sealed to", async () => {
    const elsewhere = await startServer((_seen, _req, res) => res.end());
    const origin = "http://127.0.0.1:1";
    const server = {
      ...serverAt(origin),
      endpoints: { ...endpointsOf(origin), revocationEndpoint: `${elsewhere.origin}/revoke` },
    };
    const authorizationServer = new ImanageAuthorizationServer(outboundTo([elsewhere.origin]));
    expect(await authorizationServer.revoke({ server, credentials: credentials(), token: TOKEN })).toBe(
      "revoked",
    );
    expect(Object.fromEntries(elsewhere.seen[0]?.form ?? [])).toEqual({
      access_token: "at-canary",
      client_id: "token-broker",
    });
  });

  test.each([
    [200, "", "revoked"],
    [204, "", "revoked"],
    [400, json({ error: "invalid_token" }), "already_dead"],
    [400, json({ error: "invalid_grant" }), "already_dead"],
    [401, "", { failed: "HTTP 401" }],
    [401, json({ error: "invalid_client" }), { failed: "HTTP 401 invalid_client" }],
    [302, "", { failed: "HTTP 302" }],
    [503, "", { failed: "HTTP 503" }],
  ] as const)("%i %s: %j", async (status, body, expected) => {
    const { origin } = await startServer((_seen, _req, res) => res.writeHead(status).end(body));
    const { authorizationServer, server } = clientsOf(origin);
    expect(await authorizationServer.revoke({ server, credentials: credentials(), token: TOKEN })).toEqual(
      expected,
    );
  });

  test("the second secret is tried when the first is refused", async () => {
    const { origin, seen } = await startServer(({ form }, _req, res) => {
      if (form.get("client_secret") === "new") res.writeHead(401).end(json({ error: "invalid_client" }));
      else res.end();
    });
    const { authorizationServer, server } = clientsOf(origin);
    expect(
      await authorizationServer.revoke({ server, credentials: credentials("new", "old"), token: TOKEN }),
    ).toBe("revoked");
    expect(seen.length).toBe(2);
  });
});
