import { createServer, type IncomingHttpHeaders, type RequestListener, request } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, it, onTestFinished } from "vitest";
import { JWT_BEARER } from "../../src/domain/client-assertion.ts";
import { publicApp, publicListener } from "../../src/main/start-http.ts";
import { auditKey } from "../../src/store/keys.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body: string | Uint8Array;
  /** No Content-Length: in chunks. */
  readonly chunked?: true;
}

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function send(
  base: string,
  { path = "/v1/access-tokens", method = "POST", headers, body, chunked }: Sent,
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sending = request(`${base}${path}`, {
      method,
      headers: {
        "content-type": "application/json",
        ...headers,
        ...(chunked ? {} : { "content-length": Buffer.byteLength(body) }),
      },
    });
    sending.once("response", (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          text: Buffer.concat(pieces).toString(),
        }),
      );
    });
    sending.once("error", reject);
    if (chunked) sending.write(body);
    sending.end(chunked ? undefined : body);
  });
}

async function setUp(settings: Record<string, string> = {}) {
  const here = await world({ settings });
  await here.connect();
  const { body } = await here.client.token({ grant_type: "client_credentials" });
  const bearer = { authorization: `Bearer ${String(body.access_token)}` };
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  return { here, bearer, ask };
}

/** What differs from one request to the next, and from one moment to the next. */
const alike = ({ status, headers, text }: Got) => ({
  status,
  headers: { ...headers, date: "", "x-request-id": "", "content-length": "" },
  // The order of members included.
  text: text
    .replace(/req_[\w-]{16}/g, "req")
    .replace(/"access_token":"imb_at_[\w-]+"/, '"access_token":"ours"')
    .replace(/"expires_in":\d+/, '"expires_in":n')
    .replace(/"retry_after":\d+/, '"retry_after":n'),
});

const lastLine = ({ lines }: World): Record<string, unknown> => {
  const {
    time: _,
    elapsedMs: __,
    requestId: ___,
    ...line
  } = JSON.parse(lines.findLast((text) => text.includes('"message":"request"'))!) as Record<string, unknown>;
  return line;
};

it("whatever is asked for by the lane is answered, logged and audited as Express does it, to the header and the order of members", async () => {
  const { here, bearer, ask } = await setUp({ TRUSTED_PROXY_CIDRS: "127.0.0.0/8" });
  const lane = await listening(publicListener(here.broker));
  const express = await listening(publicApp(here.broker));
  const basic = { authorization: here.client.authorization };
  const json = (told: unknown): Sent => ({ headers: bearer, body: JSON.stringify(told) });
  const foreign = `srv_${"a".repeat(here.server.length - 4)}`;
  const cases: Record<string, Sent> = {
    "a token": json(ask),
    "a token for a purpose": json({ ...ask, purpose: "drafting", min_ttl: 60 }),
    "with a byte order mark": { headers: bearer, body: `\uFEFF${JSON.stringify(ask)}` },
    "with a charset": {
      ...json(ask),
      headers: { ...bearer, "content-type": "application/json; charset=utf-8" },
    },
    "through a proxy that is trusted": {
      ...json(ask),
      headers: { ...bearer, "x-forwarded-for": "203.0.113.9" },
    },
    "through two": { ...json(ask), headers: { ...bearer, "x-forwarded-for": "203.0.113.9, 127.0.0.9" } },
    "nobody's subject": json({ ...ask, subject: { type: "user", id: "u-nobody" } }),
    "a library that nobody lent": json({ ...ask, subject: { type: "library", id: "ACTIVE" } }),
    "nobody's server": json({ ...ask, server: foreign }),
    "an id of no shape": json({ ...ask, server: "dms" }),
    "a member too many": json({ ...ask, scope: "all" }),
    nothing: json({}),
    "a list": json([ask]),
    "a word": json("token"),
    "no JSON": { headers: bearer, body: '{"server": ' },
    "no UTF-8": { headers: bearer, body: Buffer.from([0x7b, 0xff, 0x7d]) },
    "half a character": {
      headers: bearer,
      body: `{"server":"${here.server}","subject":{"type":"user","id":"\\ud800"}}`,
    },
    "a prototype": { headers: bearer, body: `{"__proto__":{"server":"x"},"server":"${here.server}"}` },
    "nobody's token": { ...json(ask), headers: { authorization: `Bearer imb_at_${"A".repeat(120)}` } },
    "no token of ours": { ...json(ask), headers: { authorization: "Bearer  x" } },
    "a token in other letters": {
      ...json(ask),
      headers: { authorization: bearer.authorization.replace("Bearer", "bEARER") },
    },
    "an underscore in a header": { ...json(ask), headers: { ...bearer, x_forwarded_for: "203.0.113.9" } },
    "a header twice": { ...json(ask), headers: { authorization: [bearer.authorization, "Bearer x"] } },
    "a certificate that nobody checked": { ...json(ask), headers: { ...bearer, "client-cert": ":AAAA:" } },
  };
  const form = (told: Record<string, string>, headers: Record<string, string> = basic): Sent => ({
    path: "/oauth2/token",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body: new URLSearchParams(told).toString(),
  });
  const exchange = {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token_type: "urn:imanage-token-broker:token-type:user",
    ...{ audience: here.server, subject_token: AMELIA.subject },
  };
  const wrong = `Basic ${Buffer.from(`${here.client.id}:imb_sk_wrong`).toString("base64")}`;
  Object.assign(cases, {
    "an exchange": form(exchange),
    "an exchange through a proxy": form(exchange, { ...basic, "x-forwarded-for": "203.0.113.9" }),
    "an exchange for nobody": form({ ...exchange, subject_token: "u-nobody" }),
    "an exchange for nobody's server": form({ ...exchange, audience: foreign }),
    "an exchange for somewhere else": form({ ...exchange, audience: "https://elsewhere.example" }),
    "a grant type of another kind": form({ grant_type: "password" }),
    "no grant type": form({ scope: "all" }),
    "an empty form": form({}),
    "no form": { ...form({}), headers: { ...basic, "content-type": "text/plain" }, body: "grant_type" },
    "a form in chunks": { ...form(exchange), chunked: true },
    "a form that is squeezed": {
      ...form(exchange, { ...basic, "content-encoding": "gzip" }),
      body: gzipSync(new URLSearchParams(exchange).toString()),
    },
    "a form of a thousand and one": { ...form({}), body: "a=1&".repeat(1_001) },
    "a form that is too large": { ...form({}), body: "a".repeat(64 * 1024 + 1) },
    "a parameter twice": { ...form({}), body: "grant_type=a&grant_type=b" },
    "another secret": form(exchange, { authorization: wrong }),
    "no proof": form(exchange, {}),
    "two proofs": form({ ...exchange, client_id: here.client.id, client_secret: "imb_sk_x" }),
    "an assertion that is none": form(
      { ...exchange, client_assertion_type: JWT_BEARER, client_assertion: "a.b.c" },
      {},
    ),
  } satisfies Record<string, Sent>);
  for (const [what, sent] of Object.entries(cases)) {
    const told: unknown[] = [];
    for (const base of [lane, express]) {
      const before = here.lines.length;
      const got = alike(await send(base, sent));
      expect(got.status, what).not.toBe(500);
      await expect
        .poll(() => here.lines.slice(before).join(), { interval: 2 })
        .toContain('"message":"request"');
      told.push({ got, line: lastLine(here) });
    }
    expect(told[0], what).toEqual(told[1]);
  }
  // Tokens were handed out in pairs, whose entries differ in nothing but number, time and request.
  const stored = await here.broker.stores.fast.call((redis) =>
    redis.xrange(auditKey(here.organisation as never), "-", "+"),
  );
  const issued = stored
    .map(([, fields]) => fields)
    .filter((fields) => fields.includes("token.issued"))
    .map((fields) => fields.filter((_, at) => !["at", "request"].includes(fields[at - (at % 2)]!)).join(" "));
  expect(issued.length).toBeGreaterThanOrEqual(20);
  for (let at = 0; at < issued.length; at += 2) expect(issued[at + 1]).toBe(issued[at]);
  expect(issued.filter((entry) => entry.includes("203.0.113.9"))).toHaveLength(6);
});

it("the lane is taken by what is plain, and by nothing that it could read differently", async () => {
  const { here, bearer, ask } = await setUp();
  const { tokenLane } = await import("../../src/http/token-lane.ts");
  const asked: string[] = [];
  const app = Object.assign(
    ((_request, response) => {
      asked.push("express");
      response.end();
    }) as RequestListener,
    { request: {}, get: () => [] },
  );
  const base = await listening(
    tokenLane({ ...here.broker, newRequestId: () => "req_x", settings: {} } as never, app as never, []),
  );
  const body = JSON.stringify(ask);
  const plain: Sent = { headers: bearer, body };
  const others: readonly Sent[] = [
    { ...plain, path: "/v1/access-tokens/" },
    { ...plain, path: "/v1/access-tokens?x=1" },
    { ...plain, path: "/V1/access-tokens" },
    { ...plain, method: "PUT" },
    { ...plain, chunked: true },
    { ...plain, body: gzipSync(body), headers: { ...bearer, "content-encoding": "gzip" } },
    { ...plain, headers: { ...bearer, "content-type": "text/plain" } },
    { ...plain, headers: { ...bearer, "content-type": "application/json; charset=latin1" } },
    { ...plain, headers: { authorization: here.client.authorization } },
    { ...plain, headers: {} },
    { ...plain, body: "" },
    { ...plain, body: " ".repeat(64 * 1024 + 1) },
  ];
  expect((await send(base, plain)).status).toBe(200);
  expect(asked).toHaveLength(0);
  for (const [at, sent] of others.entries()) {
    await send(base, sent);
    expect(asked, JSON.stringify(sent.headers)).toHaveLength(at + 1);
  }
});

it("who goes away in the middle of a request leaves nothing behind, and is logged as gone", async () => {
  const { here, bearer } = await setUp();
  const base = await listening(publicListener(here.broker));
  const sending = request(`${base}/v1/access-tokens`, {
    method: "POST",
    headers: { ...bearer, "content-type": "application/json", "content-length": 100 },
  });
  sending.on("error", () => {});
  sending.write('{"server":');
  await new Promise((resolve) => sending.once("socket", (socket) => socket.once("connect", resolve)));
  const before = here.lines.length;
  await new Promise((resolve) => setImmediate(resolve));
  sending.destroy();
  await expect.poll(() => here.lines.slice(before).join(), { interval: 5 }).toContain('"outcome":"aborted"');
});
