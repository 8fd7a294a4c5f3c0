import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { connectUntilReturn } from "../../scripts/walk/connect.ts";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import { PROBLEMS } from "../../src/domain/problem-catalogue.ts";
import { SYNC_WANTS } from "../../src/domain/sync-wish.ts";
import { publicApp } from "../../src/main/start-http.ts";
import { read, withoutComments } from "../architecture/source.ts";
import { makeOperator } from "../kit/additions.ts";
import { routesOf } from "../kit/routes-of.ts";
import { AMELIA, RETURN_URL, type World, world } from "../kit/world.ts";
import {
  codesOf,
  documentOf,
  everySchema,
  faultsOf,
  type Json,
  type Operation,
  operationsOf,
  type Schema,
} from "./openapi-document.ts";

const document = documentOf("https://broker.example.com");
const operations = operationsOf(document);

/** Routes of the public listener that are no part of the machines' interface. */
const FOR_PEOPLE =
  /^(GET|POST) \/(docs|connect|oauth2\/callback|servers|portal|my-integrations|settings|operators|calendars|brand)\b/;
const ABOUT_ITSELF = [
  "GET /openapi.json",
  "GET /.well-known/oauth-authorization-server",
  "GET /.well-known/audit-keys",
];

describe("the document and the routes", () => {
  it("are the same, both ways", async () => {
    const { broker } = await world();
    const registered = routesOf(publicApp(broker))
      .filter((route) => !FOR_PEOPLE.test(route) && !ABOUT_ITSELF.includes(route))
      // What is not POST is refused there with 405.
      .filter((route) => !/^(?!POST).* \/oauth2\/token$/.test(route));
    const documented = operations.map(
      ({ method, path }) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
    );
    expect([...new Set(registered)].sort()).toEqual(documented.sort());
  });
});

describe("the document is OpenAPI 3.1", () => {
  it("says what it is, and where", () => {
    expect(document.openapi).toMatch(/^3\.1\.\d$/);
    expect(document.info).toMatchObject({
      title: expect.stringMatching(/./),
      version: expect.stringMatching(/./),
    });
    expect(document.servers).toEqual([{ url: "https://broker.example.com" }]);
    const schemes = Object.keys(document.components.securitySchemes);
    expect(document.security.flatMap(Object.keys).filter((name) => !schemes.includes(name))).toEqual([]);
  });

  it("gives each operation an id of its own, a summary, and answers that are described", () => {
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { operationId, summary, responses, path } of operations) {
      expect(operationId).toMatch(/^[a-z][A-Za-z]+$/);
      expect(summary, operationId).toMatch(/^\S.*\S$/);
      expect(path).toMatch(/^\/[\w/{}.-]*$/);
      expect(
        Object.keys(responses).filter((status) => /^2\d\d$/.test(status)),
        operationId,
      ).toHaveLength(1);
      for (const [status, response] of Object.entries(responses)) {
        expect(status).toMatch(/^[2-5]\d\d$/);
        expect(response.description, `${operationId} ${status}`).not.toBe("");
      }
    }
  });

  it("declares every parameter of a path once, as required, and no other", () => {
    for (const { path, parameters, operationId } of operations) {
      const inPath = parameters.filter((parameter) => parameter.in === "path");
      expect(
        inPath.map(({ name }) => name),
        operationId,
      ).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      expect(
        inPath.every(({ required }) => required === true),
        operationId,
      ).toBe(true);
      const names = parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it("uses keywords of JSON Schema 2020-12 alone, and every reference leads somewhere", () => {
    const keywords = new Set([
      ...[
        "type",
        "properties",
        "required",
        "additionalProperties",
        "propertyNames",
        "items",
        "enum",
        "const",
        "$ref",
      ],
      ...[
        "anyOf",
        "oneOf",
        "allOf",
        "discriminator",
        "description",
        "examples",
        "default",
        "format",
        "pattern",
      ],
      ...[
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
      ],
    ]);
    for (const { at, schema } of everySchema(document)) {
      expect(
        Object.keys(schema).filter((keyword) => !keywords.has(keyword)),
        at,
      ).toEqual([]);
      if (typeof schema.$ref === "string") {
        expect(schema.$ref).toMatch(/^#\/components\/schemas\/\w+$/);
        expect(Object.keys(document.components.schemas)).toContain(schema.$ref.split("/").at(-1));
      }
    }
  });

  it("has requests that are strict and answers that stay open", () => {
    const objects = everySchema(document).filter(
      ({ schema }) => schema.type === "object" && schema.properties !== undefined,
    );
    const strict = ({ schema }: { readonly schema: Schema }) => schema.additionalProperties === false;
    expect(objects.filter((object) => object.answer && strict(object)).map(({ at }) => at)).toEqual([]);
    // RFC 6749 §3.2: the token endpoint ignores what it does not know.
    const open = objects.filter((object) => !object.answer && !strict(object)).map(({ at }) => at);
    expect(open).toEqual(["token/anyOf0", "token/anyOf1"]);
  });
});

/** Where the codes of each operation come from: its story, and what the story is made of. */
const POLICY = "domain/policy-refusal.ts";
const SERVING = [
  POLICY,
  "broker/access/provide-access-token.ts",
  "broker/refresh/refresh-grant.ts",
  "domain/refresh-failure.ts",
  "broker/authorization/open-credentials.ts",
];
const MANAGING = ["broker/clients/manage-clients.ts", "broker/clients/viewer.ts"];
const WAITING = "domain/waiting-places.ts";
const STORIES: Readonly<Record<string, readonly string[]>> = {
  token: [
    "http/post-oauth2-token.ts",
    "broker/people/read-person.ts",
    "broker/clients/authenticate-by-certificate.ts",
    "broker/clients/authenticate-client.ts",
    ...SERVING,
  ],
  createAccessToken: ["broker/people/read-person.ts", ...SERVING],
  createPortalSession: [POLICY, "broker/people/read-person.ts", "broker/portal/open-portal.ts"],
  createConnectSession: [
    POLICY,
    "broker/people/read-person.ts",
    "broker/authorization/begin-connect.ts",
    "broker/containment/refuse-contained.ts",
  ],
  getConnectSession: [POLICY],
  completeConnectSession: [
    POLICY,
    "broker/people/read-person.ts",
    "broker/authorization/complete-connect.ts",
    "broker/authorization/redeem.ts",
    "broker/authorization/open-credentials.ts",
  ],
  listGrants: [POLICY, "broker/grants/manage-grants.ts"],
  getGrant: [POLICY, "broker/grants/manage-grants.ts"],
  getGrantTimeline: [POLICY, "broker/grants/manage-grants.ts"],
  deleteGrant: [POLICY, "broker/grants/manage-grants.ts"],
  moveSubject: [POLICY, "broker/people/read-person.ts", "broker/subjects/move-subject.ts"],
  endSubject: [POLICY, "broker/subjects/end-subject.ts"],
  listLibraries: [POLICY, "http/libraries.ts", "broker/libraries/library-view.ts"],
  getLibrary: [POLICY, "broker/libraries/library-view.ts"],
  withdrawLibrary: [POLICY],
  createSync: [POLICY, "sync/syncs.ts", "store/redis-sync-store.ts"],
  listSyncs: [POLICY, "sync/syncs.ts"],
  getSync: [POLICY, "sync/syncs.ts"],
  runSync: [POLICY, "sync/syncs.ts"],
  pauseSync: [POLICY, "sync/syncs.ts"],
  resumeSync: [POLICY, "sync/syncs.ts"],
  resetSync: [POLICY, "sync/syncs.ts"],
  changeSync: [POLICY, "sync/syncs.ts"],
  deleteSync: [POLICY, "sync/syncs.ts"],
  explainPolicy: [POLICY, "http/explain-policies.ts"],
  listOrganisations: [],
  getOrganisation: [POLICY],
  changeOrganisation: [POLICY, "http/organisations.ts", "broker/organisations/change-organisation.ts"],
  listServers: [POLICY],
  getServer: [POLICY],
  putServer: [
    POLICY,
    "http/servers.ts",
    "http/organisations.ts",
    "broker/organisations/change-organisation.ts",
  ],
  getServerRegistration: [POLICY, "broker/organisations/registration-help.ts"],
  getServerPackage: [POLICY, "broker/organisations/registration-help.ts", "ops/package-templates.ts"],
  readAudit: [POLICY, "http/audit.ts", "broker/audit/read-audit.ts"],
  lookUpToken: [POLICY, "http/audit.ts", "broker/audit/look-up-token.ts"],
  readChanges: [POLICY, "sync/syncs.ts", "sync/read-changes.ts", "sync/change-cursor.ts", WAITING],
  readEvents: [POLICY, "events/read-events.ts", "events/event-cursor.ts", "events/find-event.ts", WAITING],
  getEvent: [POLICY, "events/find-event.ts"],
  readSnapshot: [...SERVING, "sync/syncs.ts", "sync/read-snapshot.ts", "sync/lent-token.ts"],
  createEventSubscription: [
    POLICY,
    "events/subscriptions.ts",
    "store/write-record.ts",
    "broker/idempotency/answer-once.ts",
  ],
  listEventSubscriptions: [POLICY],
  getEventSubscription: [POLICY],
  changeEventSubscription: [POLICY, "store/write-record.ts"],
  deleteEventSubscription: [POLICY, "store/write-record.ts"],
  rotateSubscriptionSecret: [POLICY, "store/write-record.ts", "broker/idempotency/answer-once.ts"],
  testEventSubscription: [POLICY, "store/redis-subscription-store.ts"],
  listEventDeliveries: [POLICY],
  replayEvents: [POLICY, "store/redis-delivery-store.ts"],
  contain: [POLICY, "broker/containment/contain.ts", "broker/containment/managed.ts"],
  listContainments: [POLICY, "broker/containment/managed.ts"],
  getContainment: [POLICY, "broker/containment/managed.ts"],
  liftContainment: [POLICY, "broker/containment/contain.ts", "broker/containment/managed.ts"],
  listContainmentReceipts: [POLICY, "broker/containment/managed.ts"],
  listContainmentReauthorizations: [POLICY, "broker/containment/managed.ts"],
  diagnoseServer: ["http/diagnoses.ts", POLICY],
  getDiagnosis: [POLICY],
  getSupportBundle: [POLICY, "broker/diagnosis/support-bundle.ts"],
  listClients: [],
  createClient: MANAGING,
  getClient: [],
  changeClient: MANAGING,
  stopClient: MANAGING,
  startClient: MANAGING,
  addClientSecret: MANAGING,
  deleteClientSecret: MANAGING,
  listPolicies: [],
  getPolicy: [],
  putPolicy: [...MANAGING, "broker/clients/manage-policies.ts"],
  deletePolicy: [...MANAGING, "broker/clients/manage-policies.ts"],
};

describe("the problems", () => {
  it.each(operations)("$operationId documents every code that its story can answer", (operation) => {
    const stories = STORIES[operation.operationId];
    expect(stories, "say above where its codes come from").toBeDefined();
    const thrown = stories!.flatMap((file) =>
      [...withoutComments(read(`src/${file}`)).matchAll(/"([a-z_]+)"/g)].map(([, word]) => word!),
    );
    const codes = new Set(thrown.filter((word) => Object.hasOwn(PROBLEMS, word)));
    const documented = new Set(
      Object.keys(operation.responses).flatMap((status) => codesOf(operation, status)),
    );
    expect([...codes].filter((code) => !documented.has(code))).toEqual([]);
    for (const code of documented) expect(PROBLEMS).toHaveProperty(code);
  });
});

describe("what is answered", () => {
  it("is what the document says, route by route", async () => {
    const here = await world();
    const { client, server, organisation, broker, simulator } = here;
    const asked = new Set<string>();
    const ask = async (operationId: string, path = "", body?: object) => {
      asked.add(operationId);
      return expectDocumented(here, operationId, path, body);
    };
    const subject = { type: "user", id: AMELIA.subject };

    await expectForm(here, { grant_type: "client_credentials" });
    await ask("createPortalSession", "", { organisation, subject, role: "user", return_url: RETURN_URL });
    await ask("createConnectSession", "", { server, subject, return_url: RETURN_URL });
    const returned = await connectUntilReturn(
      client,
      { server, returnUrl: RETURN_URL },
      AMELIA,
      new WalkingBrowser(),
    );
    await ask("getConnectSession", returned.session);
    await ask("completeConnectSession", returned.session, { completion: returned.completion, subject });
    const token = await ask("createAccessToken", "", { server, subject });
    await ask("explainPolicy", "", { server, action: "token", subject });
    await ask("explainPolicy", "", {
      organisation,
      action: "status",
      at: "2027-01-04T09:00:00Z",
      purpose: "none",
    });
    await expectForm(here, {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: AMELIA.subject,
      subject_token_type: "urn:imanage-token-broker:token-type:user",
      audience: server,
    });
    asked.add("token");

    await ask("listGrants", `?organisation=${organisation}`);
    const grant = String(token.grant);
    await ask("getGrant", grant);
    await ask("getGrantTimeline", grant);
    const same = { server, from: { id: AMELIA.subject }, to: subject, upstream_user: AMELIA.username };
    await ask("moveSubject", "", same);
    await ask("endSubject", "", { organisation, subject: { id: "u-nobody" } });
    await lendLibrary(`${here.base}/servers/${server}/libraries`, "ACTIVE", {
      username: AMELIA.username,
      password: AMELIA.password,
      email: "amelia.hart@hartlowell.example",
    });
    const libraries = await ask("listLibraries", `?server=${server}`);
    expect(libraries.counts).toMatchObject({ authorized: 1 });
    await ask("getLibrary", `${server} ACTIVE`);

    const sync = await ask("createSync", "", {
      server,
      library: "ACTIVE",
      existing: "tell",
      wants: [...SYNC_WANTS],
    });
    const id = String(sync.id);
    await ask("listSyncs", `?organisation=${organisation}`);
    await ask("runSync", id);
    const run = () => broker.workerStories.runSync(id as never, new AbortController().signal);
    await run();
    simulator.edit("ACTIVE", { kind: "container", id: "ACTIVE!11", change: { name: "Renamed" } });
    simulator.edit("ACTIVE", { kind: "user", id: "clara.voss", change: { name: "Clara" } });
    simulator.edit("ACTIVE", { kind: "group", id: "TEAM", change: { full_name: "The team" } });
    await ask("runSync", id);
    await run();
    const changes = await ask("readChanges", id);
    for (const told of ["document", "container", "user", "group"])
      expect(changes.items, told).toContainEqual(expect.objectContaining({ [told]: expect.any(Object) }));
    asked.add("readSnapshot");
    await expectLines(here, "readSnapshot", `/v1/syncs/${id}/snapshot`);
    await ask("pauseSync", id);
    await ask("resumeSync", id);
    await ask("resetSync", id);
    await ask("changeSync", id, { interval: 60 });
    await ask("getSync", id);
    await ask("deleteSync", id);
    await ask("withdrawLibrary", `${server} ACTIVE`);
    await ask("getDiagnosis", server);
    await ask("diagnoseServer", server);
    await ask("getDiagnosis", server);
    await ask("getSupportBundle", server);
    const target = { kind: "grant", grant };
    await ask("contain", "", { target, reason: "a drill", dry_run: true });
    const contained = (await ask("contain", "", { target, effect: "revoke", reason: "a drill" })).containment;
    const { id: containment } = contained as unknown as { id: string };
    await broker.containmentWork.settled();
    await broker.revoker.settled();
    await ask("listContainments", `?organisation=${organisation}`);
    await ask("getContainment", containment);
    await ask("listContainmentReceipts", containment);
    await ask("listContainmentReauthorizations", containment);
    await ask("liftContainment", containment, { reason: "a drill" });
    await ask("deleteGrant", grant);
    const events = (await ask("readEvents", `?organisation=${organisation}`)).items as unknown as {
      id: string;
      type: string;
    }[];
    expect(events.map(({ type }) => type)).toContain("grant.revoked");
    await ask("getEvent", events[0]!.id);
    const url = `${here.simulator.origin}/events`;
    const subscription = String((await ask("createEventSubscription", "", { organisation, url })).id);
    await ask("listEventSubscriptions", `?organisation=${organisation}`);
    await ask("changeEventSubscription", subscription, { kinds: ["grant.revoked"], description: "Docket" });
    await ask("rotateSubscriptionSecret", subscription, { overlap: 60 });
    await ask("testEventSubscription", subscription);
    await broker.workerStories.deliver(subscription as never, new AbortController().signal);
    const { items } = await ask("listEventDeliveries", subscription);
    expect(items).toMatchObject([{ type: "test", state: "waiting", attempts: [{ status: 404 }] }]);
    await ask("getEventSubscription", subscription);
    await ask("replayEvents", subscription, { event: events[0]!.id });
    await ask("deleteEventSubscription", subscription);

    await ask("listOrganisations");
    await ask("getOrganisation", organisation);
    await ask("changeOrganisation", organisation, { display_name: "Meridian", enabled: true });
    await ask("listServers", `?organisation=${organisation}`);
    await ask("getServer", server);
    await ask("putServer", `${organisation} second`, {
      kind: "on-premises",
      address: here.simulator.origin,
      customer_id: "1",
      registration: { client_id: "token-broker" },
    });

    await makeOperator(here);
    await ask("listClients");
    const made = await ask("createClient", "", { name: `made-${organisation.slice(4, 20)}` });
    const app = String(made.id);
    await ask("getClient", app);
    await ask("changeClient", app, {
      display_name: "Docket",
      return_urls: ["https://docket.example.com/back"],
    });
    const added = await ask("addClientSecret", app, { expires_at: "2099-01-01T00:00:00Z" });
    await ask("deleteClientSecret", `${app} ${added.id}`);
    await ask("stopClient", app);
    await ask("startClient", app);
    await ask("putPolicy", `${organisation} ${app}`, { actions: ["token"], servers: ["dms"] });
    await ask("listPolicies", `?client=${app}`);
    await ask("getPolicy", `${organisation} ${app}`);
    await ask("deletePolicy", `${organisation} ${app}`);
    await ask("readAudit", `?organisation=${organisation}`);
    await ask("lookUpToken", "", { token: String(token.access_token) });

    await ask("getServerRegistration", server);
    // A zip, which no schema describes: test/http/registration-help.test.ts reads it.
    asked.add("getServerPackage");

    expect([...asked].sort()).toEqual(operations.map(({ operationId }) => operationId).sort());
  });

  it("by way of refusal is documented too, route by route", async () => {
    const here = await world();
    const nobody = Object.fromEntries(
      (["srv", "grt", "cns", "syn", "org", "ctn", "evt", "sub"] as const).map((type) => [
        type,
        `${type}_${here.server.slice(4)}`,
      ]),
    );
    for (const operation of operations.filter(({ path }) => path.startsWith("/v1"))) {
      const path = operation.path
        .replace("/grants/{id}", `/grants/${nobody.grt}`)
        .replace("/connect-sessions/{id}", `/connect-sessions/${nobody.cns}`)
        .replace("/syncs/{id}", `/syncs/${nobody.syn}`)
        .replace("/event-subscriptions/{id}", `/event-subscriptions/${nobody.sub}`)
        .replace("/events/{id}", `/events/${nobody.evt}`)
        .replace("/containments/{id}", `/containments/${nobody.ctn}`);
      const send = (query: string, headers: Record<string, string>, body?: string) =>
        fetch(`${here.base}${path}${query}`, {
          method: operation.method.toUpperCase(),
          headers,
          ...(body === undefined ? {} : { body }),
        });
      const { id, secret } = here.credentials;
      const known = { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` };
      const json = { ...known, "content-type": "application/json" };
      const hasBody = operation.requestBody !== undefined;

      const refusals = [
        await send("", {}),
        await send("", { authorization: "Bearer imb_at_none" }),
        await send("?nobody_knows=1", hasBody ? json : known, hasBody ? "{}" : undefined),
        await send("?a=1&a=2", known),
      ];
      if (hasBody) {
        refusals.push(
          await send("", json, "{"),
          await send("", json, '{"nobody_knows":1}'),
          await send("", json, "[]"),
        );
      } else if (operation.path.includes("{")) {
        refusals.push(await send("", known));
      }
      for (const refused of refusals) {
        const body = await expectConforms(operation, refused);
        expect([400, 401, 404], operation.operationId).toContain(refused.status);
        expect(codesOf(operation, refused.status), operation.operationId).toContain(body.code);
        expect(PROBLEMS[body.code as keyof typeof PROBLEMS].status).toBe(refused.status);
      }
    }
  });
});

async function expectDocumented(
  here: World,
  operationId: string,
  at: string,
  body: object | undefined,
): Promise<Record<string, Json>> {
  const operation = operations.find((each) => each.operationId === operationId)!;
  const path = operation.path.includes("{")
    ? at.split(" ").reduce((filled, value) => filled.replace(/\{\w+\}/, value), operation.path)
    : `${operation.path}${at}`;
  const answer = await here.client.call(operation.method.toUpperCase(), path, body);
  expect(Object.keys(operation.responses)[0], `${operationId}: ${JSON.stringify(answer.body)}`).toBe(
    `${answer.status}`,
  );
  const schema = operation.responses[answer.status]!.content?.["application/json"]?.schema;
  if (schema === undefined) expect(answer.body).toEqual({});
  else expect(faultsOf(document, schema, answer.body as Json), operationId).toEqual([]);
  return answer.body as Record<string, Json>;
}

async function expectLines(here: World, operationId: string, path: string): Promise<void> {
  const { id, secret } = here.credentials;
  const answer = await fetch(`${here.base}${path}`, {
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
  });
  const { schema } = operations.find((it) => it.operationId === operationId)!.responses["200"]!.content![
    answer.headers.get("content-type")!.split(";")[0]!
  ]!;
  const lines = (await answer.text()).trimEnd().split("\n");
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) expect(faultsOf(document, schema, JSON.parse(line) as Json), line).toEqual([]);
}

async function expectForm(here: World, form: Readonly<Record<string, string>>): Promise<void> {
  const answer = await here.client.token(form);
  const { schema } = operations.find(({ operationId }) => operationId === "token")!.responses["200"]!
    .content!["application/json"]!;
  expect(answer.status).toBe(200);
  expect(faultsOf(document, schema, answer.body as Json)).toEqual([]);
}

async function expectConforms(operation: Operation, response: Response): Promise<Record<string, Json>> {
  const mediaType = response.headers.get("content-type")!.split(";")[0]!;
  const body = (await response.json()) as Record<string, Json>;
  const schema = operation.responses[response.status]?.content?.[mediaType]?.schema;
  expect(
    schema,
    `${operation.operationId} ${response.status} ${mediaType} ${JSON.stringify(body)}`,
  ).toBeDefined();
  expect(faultsOf(document, schema!, body), operation.operationId).toEqual([]);
  return body;
}

describe("the page that reads it out", () => {
  it("asks nobody else for anything", async () => {
    const { base } = await world();
    const response = await fetch(`${base}/docs`);
    const page = await response.text();
    const resources = [...page.matchAll(/\b(?:src|href)="([^"]+)"/g)].map(([, address]) => address!);
    expect(resources.length).toBeGreaterThanOrEqual(3);
    for (const address of resources) {
      expect(address).toMatch(/^\/docs\//);
      const resource = await fetch(`${base}${address}`);
      expect(resource.status, address).toBe(200);
      expect(resource.headers.get("x-content-type-options")).toBe("nosniff");
    }
    const policy = response.headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'");
    const sources = policy.split(";").flatMap((directive) => directive.trim().split(" ").slice(1));
    expect([...new Set(sources)].sort()).toEqual(["'none'", "'self'", "'unsafe-inline'", "data:"]);
    expect(policy).toContain("script-src 'self';");
    // What it reads is the document, and it asks no one on the internet whether that is valid (its default).
    const start = await (await fetch(`${base}/docs/start.js`)).text();
    expect(start).toContain('url: "/openapi.json"');
    expect(start).toContain("validatorUrl: null");
    expect(await (await fetch(`${base}/openapi.json`)).json()).toEqual(documentOf(base));
  });

  it("names every problem code, at the address that answers give as its type", async () => {
    const { base } = await world();
    const page = await (await fetch(`${base}/docs/problems`)).text();
    for (const code of Object.keys(PROBLEMS)) expect(page).toContain(`<dt id="${code}">`);
    expect(page).not.toMatch(/\b(src|href)=/);
  });
});
