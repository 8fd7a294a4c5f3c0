import { expect, it, vi } from "vitest";
import { z } from "zod";
import { connect } from "../../scripts/walk/connect.ts";
import { type IdType, makeId, makeRoute, organisationId, type Route, routeOf } from "../../src/domain/id.ts";
import { routes } from "../../src/http/routes.ts";
import { systemRandom } from "../../src/security/random.ts";
import { addOrganisation } from "../kit/additions.ts";
import { AMELIA, MOREAU, RETURN_URL, world } from "../kit/world.ts";

/** Kinds of ids that callers send. One more is found by the test below, which then wants to know what it looks like. */
const KINDS = [
  "org",
  "srv",
  "grt",
  "cns",
  "syn",
  "cli",
  "ctn",
  "evt",
  "sub",
] as const satisfies readonly IdType[];
type Kind = (typeof KINDS)[number];

/** Parts of paths that are names within what an id before them names. */
const NAMES = { library: "ACTIVE", name: "dms", secret: "AAAAAAAAAAAAAAAA" };

/** What else a request needs to be a good one. A route that needs something and is not here fails the test. */
const GOOD: Readonly<
  Record<string, { readonly body?: object; readonly query?: Readonly<Record<string, string>> }>
> = {
  createAccessToken: { body: { subject: { type: "user", id: AMELIA.subject } } },
  createConnectSession: { body: { subject: { type: "user", id: AMELIA.subject }, return_url: RETURN_URL } },
  completeConnectSession: { body: { completion: "unknown", subject: { type: "user", id: AMELIA.subject } } },
  createPortalSession: {
    body: { subject: { type: "user", id: AMELIA.subject }, role: "user", return_url: RETURN_URL },
  },
  moveSubject: {
    body: {
      from: { id: AMELIA.subject },
      to: { type: "user", id: AMELIA.subject },
      upstream_user: AMELIA.username,
    },
  },
  // Whoever has left has nothing: what the others are asked about stays.
  endSubject: { body: { subject: { id: "u-has-left" } } },
  createSync: { body: { library: "ACTIVE" } },
  changeSync: { body: { interval: 300 } },
  changeOrganisation: { body: { display_name: "Meridian Legal", enabled: true }, query: { dry_run: "true" } },
  putServer: {
    body: {
      kind: "on-premises",
      address: "https://dms.meridian.example",
      registration: { client_id: "token-broker" },
    },
    query: { dry_run: "true" },
  },
  getServerPackage: { query: { kind: "work" } },
  createClient: { body: { name: "another" } },
  changeClient: { body: {} },
  addClientSecret: { body: {} },
  lookUpToken: { body: { token: "a-token-that-was-found" } },
  createEventSubscription: { body: { url: "https://app.example.com/events" } },
  changeEventSubscription: { body: {} },
  rotateSubscriptionSecret: { body: {} },
  replayEvents: { body: {} },
  contain: { body: { reason: "A drill.", dry_run: true } },
  liftContainment: { body: { reason: "The drill is over." } },
  explainPolicy: { body: { action: "token" } },
  putPolicy: { body: { actions: ["token"] }, query: { dry_run: "true" } },
};

/**
 * Ids by which a list of his own is narrowed, and which name nothing: of an application that had to do with him once, long after
 * it has not. Another's is answered as one that nobody has, by a list without entries.
 */
const FILTERS = ["readAudit client", "readAudit grant", "listEventDeliveries event"];

/** Of a field that is one of several things, by its `kind`: what each needs besides ids. */
const OPTIONS: Readonly<Record<string, object>> = {
  organisation: {},
  client: {},
  server: {},
  user: { user_id: "amelia.hart" },
  subject: { subject: { type: "user", id: AMELIA.subject } },
  library: { library: "ACTIVE" },
  grant: {},
  consents: { from: "2026-01-01T00:00:00Z" },
  tokens: { from: "2026-01-01T00:00:00Z" },
};

const some = (kind: Kind, route: Route = makeRoute(systemRandom.bytes(7))): string =>
  kind === "org"
    ? organisationId(route)
    : makeId(kind, kind === "cli" ? undefined : route, Date.now(), systemRandom.bytes(16));

interface Slot {
  readonly part: "params" | "query" | "body";
  readonly path: readonly string[];
  readonly kind: Kind;
  /** Where the field that holds it is one of several things: which. */
  readonly option?: string;
}

/** Where a schema takes an id, and of which kind: found by what it accepts, so no route has to say so. */
function slotsOf(
  part: Slot["part"],
  schema: z.ZodType | undefined,
  path: readonly string[] = [],
): readonly Slot[] {
  if (schema === undefined) return [];
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable)
    return slotsOf(part, schema.unwrap() as z.ZodType, path);
  if (schema instanceof z.ZodPipe) {
    const { in: before } = schema.def as unknown as { in: z.ZodType };
    if (before instanceof z.ZodObject) return slotsOf(part, before, path);
  }
  if (schema instanceof z.ZodArray) return slotsOf(part, schema.element as z.ZodType, [...path, "0"]);
  if (schema instanceof z.ZodUnion)
    return schema.options.flatMap((option) => {
      const literal = option instanceof z.ZodObject && option.shape.kind;
      const named = literal instanceof z.ZodLiteral ? { option: String(literal.value) } : {};
      return slotsOf(part, option as z.ZodType, path).map((slot) => ({ ...slot, ...named }));
    });
  if (schema instanceof z.ZodObject)
    return Object.entries(schema.shape).flatMap(([name, of]) =>
      slotsOf(part, of as z.ZodType, [...path, name]),
    );
  const kinds = KINDS.filter((kind) => schema.safeParse(some(kind)).success);
  return kinds.length === 1 ? [{ part, path, kind: kinds[0]! }] : [];
}

const slotsOfRoute = ({ params, query, body }: (typeof routes)[number]): readonly Slot[] => [
  ...slotsOf("params", params),
  ...slotsOf("query", query),
  ...slotsOf("body", body),
];

/** A good body, with `idOf` in each place for an id; of a field that is one of several things, this one or the first. */
function bodyOf(route: (typeof routes)[number], option: string | undefined, idOf: (kind: Kind) => string) {
  const body: Record<string, unknown> = structuredClone({ ...GOOD[route.operationId]?.body });
  const slots = slotsOfRoute(route).filter(({ part }) => part === "body");
  const chosen = option ?? slots.find((slot) => slot.option !== undefined)?.option;
  for (const slot of slots) {
    const [field, inner] = slot.path as readonly [string, string?];
    if (slot.option === undefined) body[field] = idOf(slot.kind);
    else if (slot.option === chosen)
      body[field] = {
        ...OPTIONS[chosen!],
        ...(body[field] as object),
        kind: chosen,
        [inner!]: idOf(slot.kind),
      };
  }
  return body;
}

it("T29: every part of a path is an id of a known kind or a name within one, and every route that takes ids can be asked well", () => {
  for (const route of routes) {
    const { operationId } = route;
    const ids = slotsOfRoute(route);
    const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    const unknown = inPath.filter(
      (name) => !(name in NAMES) && !ids.some(({ part, path }) => part === "params" && path[0] === name),
    );
    expect(unknown, operationId).toEqual([]);
    if (ids.length === 0) continue;
    for (const option of new Set(ids.map((slot) => slot.option))) {
      const read = route.body?.safeParse(bodyOf(route, option, some));
      const want = `${operationId}: say in GOOD and OPTIONS what a good request is`;
      expect(read?.error?.issues ?? [], want).toEqual([]);
    }
  }
  expect(routes.flatMap(slotsOfRoute).length).toBeGreaterThan(35);
});

async function twoFirms() {
  const here = await world();
  const added = await addOrganisation(here, {
    servers: { dms: { simulator: here.simulator } },
    clients: { app: {} },
  });
  const theirs = added.clients.app;
  const subject = { type: "user", id: AMELIA.subject };
  const all = async (client: typeof theirs, server: string, organisation: string) => {
    await connect(client, { server, returnUrl: RETURN_URL }, AMELIA);
    const token = await client.accessToken({ server, subject });
    const session = await client.call("POST", "/v1/connect-sessions", {
      server,
      subject: { type: "user", id: MOREAU.subject },
      return_url: RETURN_URL,
    });
    const sync = await client.call("POST", "/v1/syncs", { server, library: "ACTIVE" });
    await client.call("POST", `/v1/servers/${server}/diagnose`);
    const events = await client.call("GET", `/v1/events?organisation=${organisation}`);
    const subscription = await client.call("POST", "/v1/event-subscriptions", {
      organisation,
      url: "https://app.example.com/events",
    });
    const target = { kind: "library", server, library: "ACTIVE" };
    const containment = await client.call("POST", "/v1/containments", { target, reason: "A drill." });
    return {
      org: organisation,
      srv: server,
      grt: token.body.grant,
      cns: String(session.body.id),
      syn: String(sync.body.id),
      cli: client.id,
      evt: String((events.body.items as { id?: unknown }[])[0]?.id),
      sub: String(subscription.body.id),
      ctn: String((containment.body.containment as { id?: unknown } | undefined)?.id),
    } satisfies Record<Kind, string>;
  };
  const own = await all(here.client, here.server, here.organisation);
  return { here, own, foreign: await all(theirs, added.servers.dms.id, added.organisation) };
}

type Firms = Awaited<ReturnType<typeof twoFirms>>;

/** One request of a route with the caller's own ids, but for one of them. */
async function ask({ here, own }: Firms, route: (typeof routes)[number], but?: Slot, id = "") {
  const good = GOOD[route.operationId];
  const body = bodyOf(route, but?.option, (kind) => own[kind]);
  const query = new URLSearchParams(good?.query);
  let path: string = route.path;
  for (const slot of slotsOfRoute(route)) {
    const value =
      slot === but || (but && slot.part === but.part && `${slot.path}` === `${but.path}`)
        ? id
        : own[slot.kind];
    if (slot.part === "params") path = path.replace(`{${slot.path[0]}}`, value);
    else if (slot.part === "query") query.set(slot.path[0]!, value);
    else if (slot.option === undefined) body[slot.path[0]!] = value;
    else if (slot === but || (but?.option === slot.option && `${slot.path}` === `${but?.path}`))
      (body[slot.path[0]!] as Record<string, unknown>)[slot.path[1]!] = value;
  }
  for (const [name, value] of Object.entries(NAMES)) path = path.replace(`{${name}}`, value);
  const response = await fetch(`${here.base}${path}${query.size === 0 ? "" : `?${query}`}`, {
    method: route.method.toUpperCase(),
    headers: {
      authorization: `Basic ${Buffer.from(`${here.credentials.id}:${here.credentials.secret}`).toString("base64")}`,
      ...(route.body && { "content-type": "application/json" }),
    },
    ...(route.body && { body: JSON.stringify(body) }),
  });
  return seen(response);
}

/** All that a caller can see of an answer, but for what is another in every answer. */
async function seen(response: Response) {
  const text = await response.text();
  const headers = [...response.headers].filter(([name]) => !["date", "x-request-id"].includes(name)).sort();
  return {
    status: response.status,
    headers: JSON.stringify(headers),
    body: text.replace(/"request_id":"[^"]+"/, '"request_id":""'),
  };
}

/** Ids that a caller may try: another firm's, some that nobody has, and some that nobody can have. */
const tried = (
  kind: Kind,
  { own, foreign }: Pick<Firms, "own" | "foreign">,
): Readonly<Record<string, string>> => ({
  foreign: foreign[kind],
  unknown: some(kind),
  "unknown in his own organisation": kind === "org" ? some(kind) : some(kind, routeOf(own.srv as never)),
  "unknown in the other organisation":
    kind === "org" ? some(kind) : some(kind, routeOf(foreign.srv as never)),
  "one letter short": foreign[kind].slice(0, -1),
  "one letter long": `${foreign[kind]}0`,
  "a letter that ids do not have": `${foreign[kind].slice(0, -1)}u`,
  capitals: `${kind}_${foreign[kind].slice(4).toUpperCase()}`,
});

it("T29: whatever id is sent to whatever route, another firm's is answered to the letter as one that does not exist", async () => {
  const firms = await twoFirms();
  let asked = 0;
  const answers = new Set<string>();
  for (const route of routes) {
    const slots = slotsOfRoute(route);
    const distinct = [
      ...new Map(slots.map((slot) => [`${slot.part} ${slot.option} ${slot.path}`, slot])).values(),
    ];
    const cases = distinct.flatMap((slot) =>
      Object.entries(tried(slot.kind, firms)).map(([what, id]) => ({ slot, what, id })),
    );
    asked += cases.length;
    const told = await Promise.all(
      cases.map(async ({ slot, what, id }) => ({ slot, what, answer: await ask(firms, route, slot, id) })),
    );
    for (const { slot, what, answer } of told) {
      const of = [route.operationId, slot.path[0], what];
      if (FILTERS.includes(`${route.operationId} ${slot.path[0]}`)) {
        if (![400, 404].includes(answer.status))
          expect([...of, answer.body]).toEqual([...of, '{"items":[],"next":null}']);
        continue;
      }
      expect([...of, answer.status]).toEqual([...of, 404]);
      answers.add(JSON.stringify(answer));
    }
  }
  // Of all routes, kinds and ids one answer.
  expect([...answers]).toHaveLength(1);
  expect(asked).toBeGreaterThan(280);

  // The same requests with his own ids are answered otherwise: the test asks what exists. What ends something comes last.
  const order = ["post", "put", "patch", "get", "delete"];
  for (const route of [...routes].sort((a, b) => order.indexOf(a.method) - order.indexOf(b.method))) {
    if (slotsOfRoute(route).length === 0) continue;
    const { status, body } = await ask(firms, route);
    // A library that nobody lent, and a secret that nobody has, are missed within what is his own.
    if (/\{(library|secret)\}/.test(route.path)) continue;
    expect([route.operationId, status === 404 ? body : ""]).toEqual([route.operationId, ""]);
  }
});

it("T29: for another firm's id the store is asked the same questions as for one that does not exist", async () => {
  const firms = await twoFirms();
  // What was begun while they were set up asks the store too.
  await firms.here.broker.containmentWork.settled();
  const sent = vi.spyOn(firms.here.broker.stores.fast.connection, "sendCommand");
  const questions = async (route: (typeof routes)[number], slot: Slot, id: string) => {
    sent.mockClear();
    await ask(firms, route, slot, id);
    return sent.mock.calls.map(([command]) => (command as { name: string }).name).join(" ");
  };
  const told: string[] = [];
  for (const route of routes) {
    const slots = new Map(
      slotsOfRoute(route).map((slot) => [`${slot.part} ${slot.option ?? ""} ${slot.path}`, slot]),
    );
    for (const [at, slot] of slots) {
      const foreign = await questions(route, slot, firms.foreign[slot.kind]);
      const unknown = await questions(route, slot, some(slot.kind));
      expect(foreign).not.toBe("");
      if (foreign !== unknown) told.push(`${route.operationId} ${at}: ${foreign} | ${unknown}`);
    }
  }
  expect(told).toEqual([]);
});

/** How many times each is asked; 0: not here. Two thousand take minutes, and a machine that does nothing else. */
const SAMPLES = Number(process.env.TEST_PARITY_SAMPLES ?? "0");

it.skipIf(SAMPLES === 0)(
  "T29: nor does the time that an answer takes tell another firm's id from one that does not exist",
  { timeout: 3_600_000 },
  async () => {
    const firms = await twoFirms();
    const told: string[] = [];
    for (const route of routes) {
      const slots = new Map(
        slotsOfRoute(route).map((slot) => [`${slot.part} ${slot.option ?? ""} ${slot.path}`, slot]),
      );
      for (const [at, slot] of slots) {
        const took: Record<"foreign" | "unknown", number[]> = { foreign: [], unknown: [] };
        for (let i = 0; i < SAMPLES; i++) {
          // In turn, and now the one first and then the other: what the machine does besides meets both alike.
          for (const which of i % 2 === 0
            ? (["foreign", "unknown"] as const)
            : (["unknown", "foreign"] as const)) {
            const id = which === "foreign" ? firms.foreign[slot.kind] : some(slot.kind);
            const from = performance.now();
            await ask(firms, route, slot, id);
            took[which].push(performance.now() - from);
          }
        }
        const [foreign, unknown] = [middle(took.foreign), middle(took.unknown)];
        const apart = Math.abs(foreign - unknown) / unknown;
        const line = `${route.operationId} ${at}: ${foreign.toFixed(3)} ms, ${unknown.toFixed(3)} ms, ${(apart * 100).toFixed(1)} %`;
        console.log(line);
        if (apart >= 0.05) told.push(line);
      }
    }
    expect(told).toEqual([]);
  },
);

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

it("T29: at the token endpoint too, as audience", async () => {
  const firms = await twoFirms();
  const { here } = firms;
  const answers = new Set<string>();
  for (const audience of Object.values(tried("srv", firms))) {
    const response = await fetch(`${here.base}/oauth2/token`, {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(`${here.credentials.id}:${here.credentials.secret}`).toString("base64")}`,
      },
      body: new URLSearchParams({
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: AMELIA.subject,
        subject_token_type: "urn:imanage-token-broker:token-type:user",
        audience,
      }),
    });
    answers.add(JSON.stringify(await seen(response)));
  }
  expect([...answers]).toEqual([expect.stringContaining("invalid_target")]);
});
