import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Broker } from "../../scripts/sample/broker.ts";
import { Doorbell } from "../../scripts/sample/doorbell.ts";
import { followLibrary } from "../../scripts/sample/follow-library.ts";
import { type Change, LibraryCopy } from "../../scripts/sample/library-copy.ts";
import { Visibility } from "../../scripts/sample/visibility.ts";
import { importsOf, typescriptFiles } from "../architecture/source.ts";

test("the sample app uses the public interface alone: it imports express, Node and itself", () => {
  const imports = typescriptFiles("scripts/sample").flatMap((file) => importsOf(file));
  expect(imports.length).toBeGreaterThan(10);
  const foreign = imports
    .map(({ to }) => to)
    .filter((to) => to !== "express" && !to.startsWith("node:") && !to.startsWith("scripts/sample/"));
  expect(foreign).toEqual([]);
});

const document = (number: number, name: string) => ({ id: `L!${number}.1`, number, version: 1, name });
const change = (id: string, number: number, name: string): Change => ({
  id,
  kind: "document.changed",
  object: `L!${number}.1`,
  document: document(number, name),
});
const names = (copy: LibraryCopy) =>
  copy.matters().flatMap(({ documents }) => documents.map(({ name }) => name));

test("a change counts once however often it is read, and a deletion deletes", () => {
  const copy = new LibraryCopy();
  const told: (readonly string[])[] = [];
  copy.on("changed", (objects) => told.push(objects));
  copy.apply([change("1-1", 1, "a"), change("1-2", 2, "b")], "c1");
  copy.apply([change("1-2", 2, "b"), change("2-1", 2, "c")], "c2");
  copy.apply([change("1-1", 1, "a")], "c2");
  expect([names(copy), copy.cursor]).toEqual([["a", "c"], "c2"]);
  copy.apply([{ id: "3-1", kind: "document.deleted", object: "L!1.1", document: null }], "c3");
  expect([names(copy), copy.cursor]).toEqual([["c"], "c3"]);
  expect(told).toEqual([["L!1.1", "L!2.1"], ["L!2.1"], ["L!1.1"]]);
});

test("whose cursor is too old takes the snapshot anew; one that was cut short replaces nothing", async () => {
  const full = [
    { kind: "snapshot.begin", cursor: "c1" },
    { kind: "document", document: document(1, "a") },
    { kind: "snapshot.end" },
  ];
  const again = [
    { kind: "snapshot.begin", cursor: "c7" },
    { kind: "document", document: document(2, "b") },
    { kind: "snapshot.end" },
  ];
  const snapshots = [full, again.slice(0, 2), again];
  const seen: string[] = [];
  const stopping = new AbortController();
  const doorbell = new Doorbell();
  const copy = new LibraryCopy();
  const origin = await answering(({ method, url = "" }) => {
    const { pathname, searchParams } = new URL(url, "http://broker");
    seen.push(`${method} ${pathname} ${searchParams.get("cursor") ?? ""}: ${names(copy)}`);
    if (method === "POST") return [201, { id: "syn_1", state: "active", waits_for: null }];
    if (pathname.endsWith("/snapshot")) {
      const lines = snapshots.shift()!;
      // Whoever waits before he tries again is woken.
      if (lines.length < 3) setTimeout(() => doorbell.ring(), 100);
      return [200, lines.map((line) => `${JSON.stringify(line)}\n`).join("")];
    }
    if (searchParams.get("cursor") === "c1")
      return [410, { code: "cursor_expired", title: "Too old.", action: "" }];
    stopping.abort();
    return [200, { items: [], cursor: "c7" }];
  });
  await followLibrary({
    ...{ broker: new Broker(origin, "cli", "secret"), server: "srv_1", library: "L", interval: undefined },
    ...{ copy, doorbell, signal: stopping.signal, onSync: () => {} },
  });
  expect(seen).toEqual([
    "POST /v1/syncs : ",
    "GET /v1/syncs/syn_1/snapshot : ",
    "GET /v1/syncs/syn_1/changes c1: a",
    "POST /v1/syncs : a",
    "GET /v1/syncs/syn_1/snapshot : a",
    "POST /v1/syncs : a",
    "GET /v1/syncs/syn_1/snapshot : a",
    "GET /v1/syncs/syn_1/changes c7: b",
  ]);
});

test("only 200 shows a document; a token that died is reported once for all, and what changed is asked anew", async () => {
  const asked: string[] = [];
  const answers: Record<string, number> = { 1: 200, 2: 404, 3: 403, 4: 500, 5: 200 };
  const origin = await answering(async (request) => {
    const { method, url = "", headers } = request;
    if (method === "POST") {
      const { rejected = "nothing" } = JSON.parse(await text(request)) as { rejected?: string };
      asked.push(`token, rejected ${rejected}`);
      const token = rejected === "nothing" ? "dead" : "live";
      return [
        200,
        { access_token: token, fingerprint: `of ${token}`, api_base_url: origin, customer_id: "1" },
      ];
    }
    if (headers["x-auth-token"] !== "live") return [401, {}];
    const number = /L!(\d)\.1$/.exec(decodeURIComponent(url))![1]!;
    asked.push(number);
    return [answers[number]!, {}];
  });
  const visibility = new Visibility(new Broker(origin, "cli", "secret"), "srv_1", "L");
  const all = [1, 2, 3, 4, 5].map((number) => document(number, ""));
  const seen = async () => (await visibility.visibleTo("u-1", all)).map(({ number }) => number);

  expect(await seen()).toEqual([1, 5]);
  // Those that were on their way together may all report it: the broker answers them with one refresh.
  expect(new Set(asked.filter((what) => what.includes("of")))).toEqual(new Set(["token, rejected of dead"]));
  expect(asked.filter((what) => /^\d$/.test(what)).toSorted()).toEqual(["1", "2", "3", "4", "5"]);

  // Nobody said no to the fourth: it is asked for again, and nothing else is.
  asked.length = 0;
  answers[4] = 200;
  expect(await seen()).toEqual([1, 4, 5]);
  expect(asked.filter((what) => /^\d$/.test(what))).toEqual(["4"]);

  answers[1] = 403;
  expect(await seen()).toEqual([1, 4, 5]);
  visibility.forget(["L!1.1"]);
  expect(await seen()).toEqual([4, 5]);
});

type Answer = readonly [status: number, body: object | string];

/** A server for the running test that answers so. */
async function answering(answer: (request: IncomingMessage) => Answer | Promise<Answer>): Promise<string> {
  const server = createServer(async (request, response) => {
    const [status, body] = await answer(request);
    response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function text(request: IncomingMessage): Promise<string> {
  let all = "";
  for await (const chunk of request.setEncoding("utf8")) all += chunk;
  return all;
}
