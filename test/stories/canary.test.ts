import { readFile } from "node:fs/promises";
import { Redis } from "ioredis";
import { expect, it } from "vitest";
import { KEPT_OF_ORGANISATIONS, KEPT_SHARED } from "../../scripts/papers/kept.ts";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { connect, connectUntilReturn } from "../../scripts/walk/connect.ts";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import type { OrganisationId } from "../../src/domain/id.ts";
import { whenReady } from "../../src/store/connect-redis.ts";
import { QUEUES } from "../../src/workers/queues.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { type Hit, needlesOf, READABLE_FILES, scan, scanFiles, scanRedis, told } from "../kit/canary.ts";
import { expireSoon } from "../kit/expire.ts";
import { kindOfKey } from "../kit/key-kinds.ts";
import { type OperatorsSetUp, operatorsSetUp, signInOperator } from "../kit/operators.ts";
import { enterPortal, submit } from "../kit/portal.ts";
import { put } from "../kit/put-records.ts";
import { recordHttp } from "../kit/record-http.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, MOREAU, RETURN_URL, type World, world } from "../kit/world.ts";
import { isOurs, misplaced, secretsOf } from "./canary-secrets.ts";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const LIBRARY_ADMIN = { ...AMELIA, email: "amelia.hart@hartlowell.example" };

/**
 * T20 and T36. The whole story, with everything that can go wrong in it, on a Redis whose files can be read; then every
 * secret that anybody made in it is looked for in six encodings, wherever something was written or answered.
 */
it("T20 T36 no token, code, verifier or secret lies in Redis, its files, the logs, the audit or an answer it does not belong in", async () => {
  const redis = await ownRedisForThisTest({ extraArgs: READABLE_FILES });
  const recorded = recordHttp();
  const operators = await operatorsSetUp();
  const { provider } = operators;
  const here = await world({ redisUrl: redis.url, settings: operators.settings });
  const parties = { here, provider };
  const worker = await tellTheStory(here, redis, operators);
  const { browser } = await signInOperator({ base: worker.ops }, provider, "olga");
  const dashboard = await whatOperatorsSee(worker.ops, browser);

  const secrets = await secretsOf(parties, recorded);
  const kinds = new Set(Object.keys(secrets).map((name) => name.replace(/ \d+$/, "")));
  expect([...kinds].toSorted()).toEqual(KINDS);
  const needles = needlesOf(secrets);

  // What is no secret is found in every one of these places: they hold the story, and the scanner reads them.
  const innocent = needlesOf({ "an id": here.server });
  const snapshot = new Redis(redis.url);
  await snapshot.save().finally(() => snapshot.disconnect());
  const logs = `${here.lines.join("\n")}\n${worker.output()}`;
  const audit = await readFile(here.environment.AUDIT_FILE!, "utf8");
  const places: readonly (readonly [
    string,
    () => Promise<readonly Hit[]> | readonly Hit[],
    () => number | Promise<number>,
  ])[] = [
    [
      "Redis",
      async () => (await scanRedis([redis.url], needles)).hits,
      async () => (await scanRedis([redis.url], innocent)).hits.length,
    ],
    ["its files", () => scanFiles(redis.dir, needles).hits, () => scanFiles(redis.dir, innocent).hits.length],
    ["the logs", () => scan(logs, needles, "the logs"), () => scan(logs, innocent, "").length],
    ["the audit", () => scan(audit, needles, "the audit"), () => scan(audit, innocent, "").length],
    [
      "the operators' listener",
      () => scan(dashboard, needles, "the operators' listener"),
      () => scan(dashboard, needlesOf({ "a queue": "refresh-grant" }), "").length,
    ],
  ];
  for (const [place, hits, seen] of places) {
    expect(await seen(), `${place} hold nothing of the story`).toBeGreaterThan(0);
    expect(told(await hits()), place).toEqual([]);
  }
  const files = scanFiles(redis.dir, innocent).hits.map(({ where }) => where);
  expect(files).toContain("file dump.rdb");
  expect(files.filter((where) => where.includes(".aof"))).not.toEqual([]);

  // The fullest store that a test makes: each kind of key in it has its line in the personal-data sheet.
  const lying = new Set((await keysAt(redis.url)).map(kindOfKey));
  expect(lying.size).toBeGreaterThan(40);
  expect([...lying].filter((kind) => !SHEET.has(kind))).toEqual([]);

  const ours = recorded.filter((exchange) => isOurs(parties, exchange));
  expect(ours.length).toBeGreaterThan(40);
  expect(told(ours.flatMap((exchange) => misplaced(exchange, secrets)))).toEqual([]);

  // T19: what goes upstream goes in headers and bodies, but for what a browser carries in the address of a sign-in.
  const upstream = recorded.filter((exchange) => !isOurs(parties, exchange));
  const inAddresses = upstream
    .filter(({ url }) => !/^\/auth(\/oauth2\/authorize)?\?/.test(url))
    .flatMap(({ url }) => scan(url, needles, `upstream's ${url.split("?")[0]}`));
  expect(told(inAddresses)).toEqual([]);
}, 60_000);

const SHEET = new Set([...Object.keys(KEPT_OF_ORGANISATIONS), ...Object.keys(KEPT_SHARED)]);

async function keysAt(url: string): Promise<readonly string[]> {
  const redis = new Redis(url);
  return redis.keys("*").finally(() => redis.disconnect());
}

/** All that anybody made, and the kinds of it: a story that made none of a kind proves nothing about it. */
const KINDS = [
  ...["access token", "authorization code", "broker token"],
  ...["client secret", "client secret at iManage", "client secret at the identity provider"],
  ...["operator's access token", "operator's code", "operator's ID token", "operator's nonce"],
  ...[
    "calendar link",
    "portal link",
    "code verifier",
    "completion",
    "cookie",
    "form token",
    "refresh token",
    "root key",
    "start link",
    "state",
    "webhook secret",
  ],
].toSorted();

async function tellTheStory(
  here: World,
  redis: { kill(): Promise<void>; restart(): Promise<void> },
  operators: OperatorsSetUp,
) {
  const { client, simulator, server, organisation, broker } = here;
  const subject = { type: "user", id: AMELIA.subject };
  const ask = { server, subject };
  const answered = async (status: number, body: object = ask) => {
    const answer = await client.accessToken(body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(status);
    return answer.body;
  };

  // Connect, and a token by each of the three ways.
  expect((await here.connect()).status).toBe(200);
  const first = await answered(200);
  const bearer = await client.token({ grant_type: "client_credentials" });
  const byBearer = { authorization: `Bearer ${bearer.body.access_token}` };
  expect((await client.call("POST", "/v1/access-tokens", ask, byBearer)).status).toBe(200);
  const form = {
    grant_type: EXCHANGE,
    subject_token: AMELIA.subject,
    subject_token_type: "urn:imanage-token-broker:token-type:user",
    audience: server,
  };
  expect((await client.token(form)).status).toBe(200);

  // A token that was rejected, a refresh at expiry on two replicas.
  expect((await answered(200, { ...ask, rejected: first.fingerprint })).access_token).not.toBe(
    first.access_token,
  );
  await expireSoon(here, first.grant);
  const { client: there } = await here.replica();
  await Promise.all([...Array(10)].map((_, i) => (i % 2 === 0 ? client : there).accessToken(ask)));

  // Who is called: the receiver is not there, and is called in vain. The secret is told once, and another once.
  const subscribed = await client.call<{ id: string }>("POST", "/v1/event-subscriptions", {
    organisation,
    url: `${simulator.origin}/no-receiver`,
  });
  const subscription = `/v1/event-subscriptions/${subscribed.body.id}`;
  expect((await client.call("POST", `${subscription}/rotate-secret`, {})).status).toBe(200);
  expect((await client.call("POST", `${subscription}/test`)).status).toBe(200);
  expect((await client.call("GET", subscription)).status).toBe(200);

  // A library is lent; a worker of its own reads it, and its changes reach who waits for them.
  const worker = await brokerProcess(here, "worker");
  await operators.open(here.base, worker.ops);
  const admin = new WalkingBrowser();
  const lent = await lendLibrary(`${here.base}/servers/${server}/libraries`, "ACTIVE", LIBRARY_ADMIN, admin);
  await admin.follow(lent, [here.base]);
  await subscribeToRenewals(here, admin);
  const sync = await client.call<{ id: string }>("POST", "/v1/syncs", {
    server,
    library: "ACTIVE",
    existing: "tell",
  });
  const changes = await client.call<{ items: object[] }>("GET", `/v1/syncs/${sync.body.id}/changes?wait=20`);
  expect(changes.body.items).not.toEqual([]);

  await visitPages(here);

  // What is wrong with the server: nothing, and what support is sent.
  const diagnosed = await client.call<{ verdict: string }>("POST", `/v1/servers/${server}/diagnose`);
  expect(diagnosed.body.verdict).toBe("good");
  expect((await client.call("GET", `/v1/servers/${server}/support-bundle`)).status).toBe(200);

  // A clumsy client: a token where none belongs. It is refused, and quoted nowhere.
  const { access_token: loose } = await answered(200);
  for (const [path, body] of [
    [`/v1/grants/${loose}`, undefined],
    [`/v1/grants?organisation=${organisation}&access_token=${loose}`, undefined],
    [`/v1/grants?organisation=${organisation}&${loose}`, undefined],
    [`/v1/${loose}/x`, undefined],
    ["/v1/access-tokens", { ...ask, rejected: loose }],
    ["/v1/access-tokens", { ...ask, [loose]: loose }],
    ["/v1/access-tokens", { server: loose, subject }],
    ["/v1/connect-sessions", { server, subject, return_url: `https://elsewhere.example/?t=${loose}` }],
  ] as const) {
    const answer = await client.call(body === undefined ? "GET" : "POST", path, body);
    expect(answer.status).toBeGreaterThanOrEqual(400);
  }
  await fetch(`${here.base}/v1/access-tokens`, {
    method: "POST",
    headers: { "content-type": "application/json", ...byBearer },
    body: `{"server": ${JSON.stringify(loose)},,`,
  });

  // Sign-ins that fail: cancelled, by another, too late, redeemed into rubbish, refused by `GET /api`.
  const at = { server, returnUrl: RETURN_URL };
  const browser = new WalkingBrowser();
  const begun = await client.call<{ start_url: string }>("POST", "/v1/connect-sessions", {
    server,
    subject,
    return_url: RETURN_URL,
  });
  const left = await browser.get(begun.body.start_url);
  const cancelled = await browser.post(left.location!, { action: "cancel" });
  await browser.follow(await browser.get(cancelled.location!), [here.base]);

  const byAnother = await connectUntilReturn(client, at, MOREAU);
  const completeAs = (session: string, completion: string, id: string) =>
    client.call("POST", `/v1/connect-sessions/${session}/complete`, {
      completion,
      subject: { type: "user", id },
    });
  expect((await completeAs(byAnother.session, byAnother.completion, "u-somebody")).status).toBe(403);
  const late = await connectUntilReturn(client, at, MOREAU);
  here.advance(40_000);
  expect((await completeAs(late.session, late.completion, MOREAU.subject)).status).toBe(409);

  const tokens = { access_token: "{{access_token}}", refresh_token: "{{refresh_token}}" };
  const faultOn = (route: "token" | "discovery" | "revoke", answer: object) =>
    simulator.addFault({ on: { route }, do: { answer } } as never);
  faultOn("token", { status: 500, body: { error: "server_error", error_description: "{{access_token}}" } });
  expect((await connect(client, at, MOREAU)).status).toBeGreaterThanOrEqual(400);
  faultOn("token", { status: 200, body: "<html>{{refresh_token}}</html>" });
  expect((await connect(client, at, MOREAU)).status).toBeGreaterThanOrEqual(400);
  faultOn("discovery", { status: 403, body: { error: { code: "forbidden", code_message: "no" } } });
  expect((await connect(client, at, MOREAU)).status).toBe(403);
  expect((await here.connect(MOREAU)).status).toBe(200);

  // Refreshes whose answers hold tokens in every unfit way: kept or lost, never told.
  const { grant } = await answered(200);
  for (const answer of [
    { status: 500, body: tokens },
    { status: 200, body: '{"access_token":"{{access_token}}","refresh_token":"{{refresh_token}}",,' },
    { status: 200, body: JSON.stringify(JSON.stringify(tokens)) },
    { status: 502, body: "<html>{{access_token}} {{refresh_token}}</html>" },
    { status: 200, body: "{{access_token}}" },
    { status: 201, body: { ...tokens, expires_in: "soon" } },
  ]) {
    await expireSoon(here, grant, 30_000);
    faultOn("token", answer);
    await client.accessToken(ask);
    simulator.clearFaults();
    // Past what a failure made it wait.
    here.advance(120_000);
  }
  // Whatever became of the grant, the person signs in again.
  expect((await here.connect()).status).toBe(200);
  const last = await answered(200);

  // The store goes away in the middle of a refresh, and comes back with all it had.
  await expireSoon(here, last.grant);
  simulator.addFault({
    id: "held",
    on: { route: "token", grant_type: "refresh_token" },
    do: { hold_after: true },
  });
  const waiting = client.accessToken(ask);
  await simulator.waitFor(() => simulator.held().length > 0);
  await redis.kill();
  simulator.clearFaults();
  expect((await client.accessToken(ask)).status).toBe(503);
  await redis.restart();
  await waiting;
  await broker.refresher.settled();
  // What is stored by one connection, another may not yet be back to read.
  await whenReady(broker.stores.fast.connection);
  await answered(200);

  await operatorsWork(here, operators);

  // The end: iManage does not listen at first, so the tokens wait in the outbox.
  faultOn("revoke", { status: 500, body: "no {{access_token}}" });
  expect((await client.call("DELETE", `/v1/grants/${last.grant}`)).status).toBe(204);
  await broker.revoker.settled();
  await answered(409);
  // When everything has happened that may be told.
  for (const name of ["olga", "sam"]) await visitOperatorsPages(here, operators, name);
  await broker.workerStories.exportAudit();
  return worker;
}

/** The pages of a user and of an organisation's admin, who also has the server checked; and the interface's own. */
async function visitPages(here: World): Promise<void> {
  const { base, server } = here;
  const user = await enterPortal(here, { subject: { type: "user", id: "u-on-pages" } });
  await submit(user.browser, user.page, `/my-integrations/${server}/authorize`);
  const admin = await enterPortal(here, { role: "organisation_admin" });
  for (const page of settingsPages(server))
    expect((await admin.browser.get(`${base}/settings${page}`)).status, page).toBe(200);
  await submit(admin.browser, await admin.browser.get(`${base}/settings`), "/portal/leave");
  for (const page of ["/openapi.json", "/docs", "/docs/problems", "/.well-known/oauth-authorization-server"])
    expect((await user.browser.get(base + page)).status, page).toBe(200);
}

const settingsPages = (server: string) => [
  ...["", "/access", "/audit", "/new-server", `/servers/${server}`],
  ...["authorities", "diagnosis", "support-bundle", "package/control-center"].map(
    (page) => `/servers/${server}/${page}`,
  ),
];

const CONTAINMENTS = "/operators/containments";

/** An operator stops a user's tokens, from the form to the list of who authorises again, has his server checked, and lifts it. */
async function operatorsWork(here: World, { provider, supported }: OperatorsSetUp): Promise<void> {
  const { base, broker, organisation, server } = here;
  const firm = (await broker.configuration.findOrganisation(organisation as OrganisationId))!;
  // So that support sees it too.
  await put.organisation(broker.configuration, { ...firm, name: supported });
  const { browser } = await signInOperator(here, provider, "olga");
  const form = await browser.get(`${base}${CONTAINMENTS}/new`);
  const target = { kind: "user", server: `${supported}/dms`, what: "5948/e.moreau" };
  const told = { ...target, effect: "revoke", reason: "a stolen laptop" };
  const review = await submit(browser, form, `${CONTAINMENTS}/new`, told);
  const { location } = await submit(browser, review, `${CONTAINMENTS}/new`, { ...told, confirm: "yes" });
  await broker.containmentWork.settled();
  await broker.revoker.settled();
  const one = await browser.get(location!);
  expect(one.body).toContain("e.moreau");
  expect((await browser.get(`${location}/reauthorizations.csv`)).body).toContain("e.moreau");
  await submit(browser, one, `${new URL(location!).pathname}/lift`, { reason: "found it" });

  const diagnosis = `/operators/${organisation}/settings/servers/${server}/diagnosis`;
  await submit(browser, await browser.get(base + diagnosis), diagnosis);
}

/** Every page that an operator, or support, may look at, from the way in to the way out. */
async function visitOperatorsPages(here: World, { provider }: OperatorsSetUp, name: string): Promise<void> {
  const { browser, landed } = await signInOperator(here, provider, name);
  expect(landed.body).toContain("Meridian Legal");
  const look = async (path: string) => {
    const { status, body } = await browser.get(here.base + path);
    // Support is told on a page of its own what is not for it to change.
    expect(name === "olga" ? [200] : [200, 403], path).toContain(status);
    return body;
  };
  const list = await look(CONTAINMENTS);
  const [one] = /\/operators\/containments\/ctn_\w+/.exec(list)!;
  expect(await look(one)).toContain("a stolen laptop");
  await look(`${one}/reauthorizations.csv`);
  for (const page of settingsPages(here.server)) {
    const body = await look(`/operators/${here.organisation}/settings${page}`);
    // What has happened stands there: it is no empty page that is looked through.
    const action = page === "/audit" ? ["token.issued", "containment.lifted"] : [];
    for (const each of action) expect(body).toContain(`<code>${each}`);
  }
  await submit(browser, landed, "/operators/sign-out");
}

/** All of the operators' listener: health, the dashboard's own requests, and each job that there is. */
async function whatOperatorsSee(ops: string, browser: WalkingBrowser): Promise<string> {
  const read = async (path: string) => {
    const { headers, body } = await browser.get(ops + path);
    return `${JSON.stringify([...headers])}\n${body}`;
  };
  const told = await Promise.all(
    ["/healthz", "/readyz", "/metrics", "/queues/", "/queues/api/queues"].map(read),
  );
  for (const name of Object.values(QUEUES)) {
    for (const status of ["latest", "active", "waiting", "completed", "failed", "delayed"])
      told.push(await read(`/queues/api/queues?activeQueue=${name}&status=${status}&jobsPerPage=50`));
    const jobs = new Set([...told.at(-6)!.matchAll(/"id":"([^"]+)"/g)].map(([, id]) => id!));
    for (const job of jobs)
      for (const part of ["", "/logs", "/flow"])
        told.push(await read(`/queues/api/queues/${name}/${encodeURIComponent(job)}${part}`));
  }
  return told.join("\n");
}

/** A library admin's calendar: its link is made, fetched, mistyped, replaced and revoked. */
async function subscribeToRenewals(here: World, admin: WalkingBrowser): Promise<void> {
  const page = `${here.base}/servers/${here.server}/libraries`;
  const press = async (action: string) => {
    const shown = await admin.get(page);
    const instead = /name="instead" value="(\d*)"/.exec(shown.body)![1]!;
    return submit(admin, shown, `/servers/${here.server}/libraries${action}`, { instead });
  };
  for (let i = 0; i < 2; i++) {
    const link = /value="(http[^"]+)\.ics" readonly/.exec((await press("/calendar")).body)![1]!;
    for (const at of [`${link}.ics`, link, `${link}.ics/${link.slice(-53)}`, `${link}.ics?again=${link}`])
      await fetch(at).then((answer) => answer.text());
  }
  await press("/calendar/revoke");
}
