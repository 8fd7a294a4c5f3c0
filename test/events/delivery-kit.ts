import { EventEmitter, once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { Clock } from "../../src/broker/ports.ts";
import { type ClientId, type EventId, makeId, type SubscriptionId } from "../../src/domain/id.ts";
import type { Milliseconds } from "../../src/domain/instant.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { Secret } from "../../src/domain/secret.ts";
import { Deliverer } from "../../src/events/deliver.ts";
import type { SignedDelivery, SubscriptionPorts } from "../../src/events/subscription-ports.ts";
import { Subscriptions } from "../../src/events/subscriptions.ts";
import { DeliverySweep } from "../../src/events/sweep-deliveries.ts";
import { makeWebhookSender } from "../../src/outbound/webhook-sender.ts";
import { systemRandom } from "../../src/security/random.ts";
import { makeRecordMac } from "../../src/security/record-mac.ts";
import { makeWebhookSecrets } from "../../src/security/webhook-secrets.ts";
import { EventListener } from "../../src/store/change-listener.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";
import { RedisDeliveryStore } from "../../src/store/redis-delivery-store.ts";
import { RedisSubscriptionStore } from "../../src/store/redis-subscription-store.ts";
import { SealedRecords } from "../../src/store/sealed-records.ts";
import { outboundTo } from "../imanage/kit.ts";
import { ruleOf } from "../kit/policies.ts";
import { addressOf, sharedRedisUrl } from "../kit/redis.ts";
import { sealerKit } from "../security/kit.ts";
import { KeptLog } from "../sync/kit.ts";
import { eventLogKit } from "./kit.ts";

export const BY = { actor: "client:test", requestId: "req-1" };

/** One request that a receiver got. */
export interface Received {
  readonly id: EventId;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver of events on a real socket. `answer` decides what it says; 200 unless told otherwise. */
export async function receiver(
  answer: (got: Received, response: ServerResponse) => void = (_, it) => it.end(),
) {
  const got: Received[] = [];
  const arrivals = new EventEmitter();
  let behave = answer;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const one = {
        id: String(request.headers["webhook-id"]) as EventId,
        headers: request.headers,
        body: Buffer.concat(chunks).toString("utf8"),
      };
      got.push(one);
      behave(one, response);
      arrivals.emit("event");
    });
    request.on("error", () => {});
  });
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    got,
    origin: `http://127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}/events`,
    says(next: typeof answer) {
      behave = next;
    },
    /** Resolves with the next that comes. */
    next: () => once(arrivals, "event"),
    /** Ends what hangs. */
    hangUp: () => server.closeAllConnections(),
    /** As a consumer sees it that dedupes by `webhook-id`. */
    distinct: () => [...new Map(got.map((one) => [one.id, one])).values()],
  };
}

export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}) =>
  (_: Received, response: ServerResponse): void =>
    void response.writeHead(code, headers).end();

export interface DeliveryKitOptions {
  /** Origins on loopback that may be called. */
  readonly origins: readonly string[];
  readonly deadlineMs?: Milliseconds;
  readonly redisUrl?: string;
  /** In the place of the sender: what it would be given. */
  readonly send?: (delivery: SignedDelivery) => ReturnType<SubscriptionPorts["sender"]["send"]>;
}

/** Subscriptions and their deliveries on a real Redis, with real seals and real sockets; time is moved by `offset.ms`. */
export async function deliveryKit({
  origins,
  deadlineMs,
  send,
  redisUrl = sharedRedisUrl(),
}: DeliveryKitOptions) {
  const events = await eventLogKit(redisUrl);
  const { offset, store, log, ids, organisation } = events;
  const { sealer, rootKeyset } = sealerKit();
  await sealer.prepare(`o:${ids.route}`);
  const sealed = new SealedRecords(makeRecordMac(rootKeyset), () => {});
  const listening = connectRedis(addressOf(redisUrl), "durable");
  onTestFinished(() => disconnect(listening));
  await whenReady(listening);
  const announcements = new EventListener(listening);
  await announcements.listen();
  const clock: Clock = { now: () => Date.now() + offset.ms, monotonicMs: () => performance.now() };
  const policy: Policy = {
    v: 1,
    client: ids.client,
    organisation,
    rules: [ruleOf({ actions: ["events"] })],
    tokensPerMinute: 60,
  };
  const policies = new Map<ClientId, Policy>([[ids.client, policy]]);
  const state = { standing: "active" as "active" | "stopped", contained: false };
  const operators = new KeptLog();
  const rules = { loopbackOrigins: origins };
  const real = makeWebhookSender(outboundTo(origins), {
    now: clock.now,
    rules,
    ...(deadlineMs !== undefined && { deadlineMs }),
  });
  const ports: SubscriptionPorts = {
    clock,
    random: systemRandom,
    log: operators,
    sealer,
    subscriptions: new RedisSubscriptionStore(store, sealed),
    deliveries: new RedisDeliveryStore(store),
    events: log,
    announcements,
    sender: send === undefined ? real : { ...real, send },
    secrets: makeWebhookSecrets(systemRandom),
    clients: {
      findStanding: async () => ({ state: state.standing, generation: 1 }),
      findPolicy: async (client) => ({ policy: policies.get(client), generation: 1, mark: "" }),
    },
    stops: { findStop: async () => (state.contained ? "ctn_x" : undefined) },
  };
  // The kit's organisation has no record: it is the only one that these sweeps look at.
  Object.assign(ports.deliveries, { organisations: async () => [organisation] });
  const stories = new Subscriptions(ports);
  const caller = { client: ids.client, address: "192.0.2.1" };
  const deliverer = new Deliverer(ports);
  return {
    ...events,
    ...{ ports, stories, caller, deliverer, sealed, sealer, policies, policy, state, operators },
    announcements,
    sweep: new DeliverySweep(clock, ports.deliveries),
    /** Another client of the organisation, which may know as much. */
    another() {
      const client = makeId("cli", undefined, clock.now(), systemRandom.bytes(16));
      policies.set(client, { ...policy, client });
      return { client, address: "192.0.2.2" };
    },
    async subscribe(url: string, more: object = {}, by = caller) {
      const { view, secret } = await stories.create(by, organisation, { url, ...more }, BY);
      return { id: view.subscription.id, secret: secret.reveal() };
    },
    /** Sends what is due now. */
    run: (id: SubscriptionId) => deliverer.run(id),
    /** Moves time to when the subscription is due next, and sends. */
    async runWhenDue(id: SubscriptionId) {
      const { nextAt } = await ports.deliveries.summary(id);
      if (nextAt !== undefined) offset.ms += Math.max(0, nextAt - clock.now()) + 1;
      await deliverer.run(id);
    },
    /** Events about syncs of one library: each sync is a lane. */
    sync: (name: string) =>
      events.emit("sync.resumed", { sync: `syn_${name}`, client: ids.client, library: "ACTIVE" }),
    secretOf: (text: string) => new Secret(text),
  };
}
