import { Webhook } from "standardwebhooks";
import { expect, it, onTestFinished } from "vitest";
import { contain, liftContainment } from "../../src/broker/containment/contain.ts";
import { advanceRotation, startRotation } from "../../src/broker/keys/rotate-data-keys.ts";
import { organisationOwner } from "../../src/broker/seal-contexts.ts";
import type { CliDeps } from "../../src/cli/build-cli.ts";
import { rotationTiming } from "../../src/domain/data-key-rotation.ts";
import type { ClientId, OrganisationId, SubscriptionId } from "../../src/domain/id.ts";
import { Problem } from "../../src/domain/problem.ts";
import { connectRedis } from "../../src/store/connect-redis.ts";
import { subscriptionKey } from "../../src/store/keys.ts";
import { startWorkers } from "../../src/workers/start-workers.ts";
import { type Received, receiver, status } from "../events/delivery-kit.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { runCli } from "../kit/run-cli.ts";
import { type World, world } from "../kit/world.ts";

interface Body {
  readonly id: string;
  readonly secret?: string;
  readonly secrets: readonly { readonly ends_at: string | null }[];
  readonly url: string;
  readonly enabled: boolean;
  readonly delivery: Record<string, unknown>;
  readonly [name: string]: unknown;
}

const PATH = "/v1/event-subscriptions";

/** A firm, a receiver, and workers, on a Redis of their own: queues have fixed names. */
async function told() {
  const to = await receiver();
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url, receivers: [to.origin] });
  const { broker, organisation, client } = here;
  const arrived = async (count: number): Promise<readonly Received[]> => {
    while (to.got.length < count) await to.next();
    return to.got;
  };
  const work = async () => {
    const workers = await startWorkers({
      connect: () => connectRedis(broker.redisAddress, "blocking"),
      stories: broker.workerStories,
      jobStarts: broker.jobStarts,
      timers: broker.timers,
      log: broker.log,
      onEvent: (hear) => broker.happened.each(hear),
    });
    onTestFinished(() => workers.close());
    return workers;
  };
  return {
    ...{ here, to, arrived, work },
    subscribe: (more: object = {}, headers: Record<string, string> = {}) =>
      client.call<Body>("POST", PATH, { organisation, url: to.url, ...more }, headers),
    call: (method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
      client.call<Body>(method, `${PATH}${path}`, body, headers),
  };
}

const verify = (secret: string, { headers, body }: Received) =>
  new Webhook(secret).verify(body, headers as Record<string, string>) as { type: string };

it("a person authorises, and the client that subscribed is called within a fraction of a second, signed", async () => {
  const { here, to, arrived, work, subscribe, call } = await told();
  await work();
  const { status: code, body } = await subscribe({ kinds: ["grant.authorized"] });
  expect(code).toBe(201);
  const secret = body.secret!;
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);

  await here.connect();
  const authorized = Date.now();
  const [first] = await arrived(1);
  // Half of what the sweep would take: it was the announcement.
  console.log(`from authorizing to being called: ${Date.now() - authorized} ms`);
  expect(verify(secret, first!)).toMatchObject({
    type: "grant.authorized",
    data: {
      organisation: here.organisation,
      server: here.server,
      subjects: [{ type: "user", id: "u-amelia" }],
    },
  });

  // Two secrets sign while one takes the other's place; later the new one alone.
  const rotated = await call("POST", `/${body.id}/rotate-secret`, { overlap: 3_600 });
  expect(rotated.body.secrets.map(({ ends_at }) => ends_at === null)).toEqual([true, false]);
  await call("POST", `/${body.id}/test`);
  const second = (await arrived(2))[1]!;
  for (const each of [secret, rotated.body.secret!]) expect(verify(each, second).type).toBe("test");
  here.advance(3_601_000);
  await call("POST", `/${body.id}/test`);
  const third = (await arrived(3))[2]!;
  expect(String(third.headers["webhook-signature"]).split(" ")).toHaveLength(1);

  // A replay: the same id, whatever became of it.
  await call("POST", `/${body.id}/replay`, { event: first!.id });
  expect((await arrived(4))[3]!.id).toBe(first!.id);
  expect(to.distinct()).toHaveLength(3);
  const log = await here.client.call<{ items: { attempts: object[] }[] }>(
    "GET",
    `${PATH}/${body.id}/deliveries?event=${first!.id}`,
  );
  expect(log.body.items).toMatchObject([{ event: first!.id, state: "delivered", attempts: [{}, {}] }]);
  const entries = (await here.broker.auditBuffer.read(here.organisation as never, 0, 500)).map(
    ({ fields }) => fields.action,
  );
  expect(entries.filter((action) => /^(subscription|event)\./.test(action!))).toEqual([
    "subscription.created",
    "subscription.secret_rotated",
    "event.replayed",
  ]);
});

it("the secret is told once: an Idempotency-Key that comes again has the same subscription, and no secret", async () => {
  const { here, to, subscribe, call } = await told();
  const key = { "idempotency-key": "subscribe-once" };
  const first = await subscribe({}, key);
  const again = await subscribe({}, key);
  expect(again.status).toBe(201);
  const { secret, ...rest } = first.body;
  expect(secret).toMatch(/^whsec_/);
  expect(again.body).toEqual(rest);
  const rotate = { "idempotency-key": "rotate-once" };
  expect((await call("POST", `/${rest.id}/rotate-secret`, {}, rotate)).body.secret).toMatch(/^whsec_/);
  expect((await call("POST", `/${rest.id}/rotate-secret`, {}, rotate)).body.secret).toBeUndefined();
  expect((await call("GET", `/${rest.id}`)).body.secrets).toHaveLength(2);
  const listed = await here.client.call<{ items: Body[] }>(
    "GET",
    `${PATH}?organisation=${here.organisation}`,
  );
  expect(listed.body.items.map(({ id }) => id)).toEqual([rest.id]);

  // Another address is another origin: it is sealed anew, and signs as before.
  const other = await receiver();
  const refused = await call("PATCH", `/${rest.id}`, { url: other.url });
  expect([refused.status, JSON.stringify(refused.body)]).toEqual([400, expect.stringContaining("https://")]);
  const changed = await call("PATCH", `/${rest.id}`, { url: `${here.simulator.origin}/x`, kinds: ["test"] });
  expect(changed.body).toMatchObject({ url: `${here.simulator.origin}/x`, kinds: ["test"], enabled: true });
  await call("PATCH", `/${rest.id}`, { url: to.url, kinds: null });
  await call("POST", `/${rest.id}/test`);
  await here.broker.workerStories.deliver(rest.id as SubscriptionId, new AbortController().signal);
  expect(verify(secret!, to.got[0]!).type).toBe("test");

  await call("PATCH", `/${rest.id}`, { enabled: false });
  expect((await call("POST", `/${rest.id}/test`)).status).toBe(400);
  expect((await call("DELETE", `/${rest.id}`)).status).toBe(204);
  expect((await call("GET", `/${rest.id}`)).status).toBe(404);
  const redis = here.broker.stores.fast.connection;
  const left = await redis.keys(`*${rest.id}*`);
  expect(left.filter((one) => !one.includes("idempotency"))).toEqual([]);
});

it("T25 a record of a subscription that somebody rewrote in the store is neither believed nor called", async () => {
  const { here, to, subscribe } = await told();
  const { body } = await subscribe();
  const id = body.id as SubscriptionId;
  const redis = here.broker.stores.fast.connection;
  const key = subscriptionKey(id);
  const stored = (await redis.get(key))!;
  const elsewhere = await receiver();
  await redis.set(key, stored.replace(to.origin, elsewhere.origin));
  await here.connect();
  const deliver = here.broker.workerStories.deliver(id, new AbortController().signal);
  await expect(deliver).rejects.toThrow(/altered/);
  expect([to.got.length, elsewhere.got.length]).toEqual([0, 0]);
  const seals = await here.broker.recordSeals.survey();
  expect(seals.filter(({ noun }) => noun === "subscription")).toMatchObject([{ state: "altered" }]);
  await redis.set(key, stored);
  expect((await here.broker.recordSeals.survey()).every(({ state }) => state === "sealed")).toBe(true);
});

it("F40: secrets of subscriptions are sealed anew as the data key is rotated, and sign as before", async () => {
  const { here, to, subscribe } = await told();
  const { body } = await subscribe();
  const { rotations } = here.broker;
  const owner = organisationOwner(here.organisation as OrganisationId);
  const work = async () => {
    for (;;) {
      const answer = await advanceRotation(rotations, owner);
      if (answer !== "goes_on") return answer;
    }
  };
  const { rotation } = await startRotation(rotations, owner, BY_TEST);
  here.advance(rotationTiming.knownAfterMs);
  await work();
  here.advance(rotationTiming.keptAfterMs);
  for (let i = 0; i < 5 && (await work()) !== "ended"; i++) here.advance(rotationTiming.againMs);
  const stored = await here.broker.stores.fast.connection.get(subscriptionKey(body.id as SubscriptionId));
  expect(stored).toContain(`.${rotation.to}.`);
  expect(stored).not.toContain(`.${rotation.from}.`);
  await here.connect();
  await here.broker.workerStories.deliver(body.id as SubscriptionId, new AbortController().signal);
  expect(to.got).toHaveLength(1);
  const { headers } = to.got[0]!;
  // Tests skip weeks: the library believes five minutes.
  const at = new Date(Number(headers["webhook-timestamp"]) * 1_000);
  expect(new Webhook(body.secret!).sign(to.got[0]!.id, at, to.got[0]!.body)).toBe(
    headers["webhook-signature"],
  );
});

/** The command line on the broker of a world. */
function cli(here: World, ...args: string[]) {
  const { broker } = here;
  const deps: Partial<CliDeps> = {
    withBroker: (use) =>
      use({
        store: broker.configuration,
        subscriptions: broker.subscriptions.operators,
        note: { actor: "cli:test", requestId: "cli_test" },
      } as never),
    explain: (error) => (error instanceof Problem ? error.code : undefined),
  };
  return runCli(deps, args);
}

it("operators list, show, disable, enable and replay what clients subscribed to", async () => {
  const { here, to, subscribe } = await told();
  const { body } = await subscribe();
  const { name } = (await here.broker.configuration.findOrganisation(here.organisation as never))!;
  to.says(status(410));
  await here.connect();
  await here.broker.workerStories.deliver(body.id as SubscriptionId, new AbortController().signal);
  const list = await cli(here, "subscriptions", "list", "--organisation", name, "--json");
  expect(JSON.parse(list.out)).toMatchObject([{ id: body.id, enabled: false, because: "gone", waiting: 1 }]);
  expect((await cli(here, "subscriptions", "enable", body.id)).out).toBe(`${body.id} is enabled.\n`);
  expect((await cli(here, "subscriptions", "show", body.id)).out).toContain("receiver: ok");
  to.says(status(200));
  await here.broker.workerStories.deliver(body.id as SubscriptionId, new AbortController().signal);
  const event = to.got.at(-1)!.id;
  const again = async (...what: string[]) =>
    (await cli(here, "subscriptions", "replay", body.id, ...what)).out;
  expect(await again("--event", event)).toBe("1 events are sent again.\n");
  expect(await again("--from", "2020-01-01T00:00:00Z")).toBe("1 events are sent again.\n");
  expect(await again("--dead")).toBe("0 events are sent again.\n");
  expect((await cli(here, "subscriptions", "replay", body.id)).code).toBe(1);
  await here.broker.workerStories.deliver(body.id as SubscriptionId, new AbortController().signal);
  expect(to.got.slice(1).map(({ id }) => id)).toEqual([event, event, event]);
  expect((await cli(here, "subscriptions", "disable", body.id)).out).toBe(`${body.id} is disabled.\n`);
});

it("T18 a range that is open for iManage is not open for addresses that clients name, unless the operator says so", async () => {
  const open = {
    EGRESS_PRIVATE_CIDRS: "10.20.0.0/16,192.168.7.0/24",
    EGRESS_WEBHOOK_PRIVATE_CIDRS: "192.168.7.0/24",
  };
  const { client, organisation } = await world({ settings: open });
  const create = async (host: string) =>
    (await client.call("POST", PATH, { organisation, url: `https://${host}/events` })).status;
  expect(await create("10.20.0.5")).toBe(400);
  expect(await create("192.168.7.5")).toBe(201);
});

it("a contained client sees its subscriptions and changes none, until the containment is lifted", async () => {
  const { here, subscribe, call } = await told();
  const { body } = await subscribe();
  const { id } = await contain(
    here.broker.containment,
    {
      target: {
        kind: "client",
        client: here.credentials.id as ClientId,
        organisation: here.organisation as OrganisationId,
      },
      effect: "stop",
      reason: "its secret leaked",
    },
    BY_TEST,
  );
  const at = `/${body.id}`;
  const writes = () =>
    Promise.all([
      subscribe({ description: "another" }),
      call("PATCH", at, { enabled: false }),
      call("POST", `${at}/rotate-secret`, {}),
      call("POST", `${at}/test`),
      call("POST", `${at}/replay`, { dead: true }),
      call("DELETE", at),
    ]);
  for (const refused of await writes()) {
    expect(refused).toMatchObject({ status: 403, body: { code: "contained", containment: id } });
  }
  expect((await call("GET", at)).body).toMatchObject({ enabled: true });
  const containment = await here.broker.containment.containments.findContainment(id);
  await liftContainment(here.broker.containment, containment!, "over", BY_TEST);
  expect((await call("PATCH", at, { enabled: false })).status).toBe(200);
});
