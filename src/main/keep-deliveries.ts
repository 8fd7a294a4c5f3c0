import type { Meters } from "../broker/meter-ports.ts";
import type { Clock, Log, Random, Sealer } from "../broker/ports.ts";
import type { Tracer } from "../broker/tracer.ts";
import type { Settings } from "../config/settings.ts";
import { Deliverer } from "../events/deliver.ts";
import type { SubscriptionPorts } from "../events/subscription-ports.ts";
import { Subscriptions } from "../events/subscriptions.ts";
import { DeliverySweep } from "../events/sweep-deliveries.ts";
import { Outbound } from "../outbound/outbound.ts";
import { makeWebhookSender } from "../outbound/webhook-sender.ts";
import { makeWebhookSecrets } from "../security/webhook-secrets.ts";
import type { Stores } from "./open-stores.ts";
import { egressProxy } from "./read-addresses.ts";

/** Who is called when something happens, and the calling. */
export async function keepDeliveries(by: {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly sealer: Sealer;
  readonly stores: Stores;
  readonly clients: SubscriptionPorts["clients"];
  readonly settings: Settings;
  readonly meters: Meters;
  readonly tracer: Tracer | undefined;
}) {
  const { clock, random, log, sealer, stores, clients, settings, meters } = by;
  // A door of its own: what the operator opened for iManage servers is not open for addresses that clients name (T18).
  const rules = {
    loopbackOrigins: settings.EGRESS_LOOPBACK_ORIGINS,
    privateRanges: settings.EGRESS_WEBHOOK_PRIVATE_CIDRS,
  };
  const outbound = new Outbound({ ...rules, proxy: await egressProxy(settings), tracer: by.tracer });
  const ports: SubscriptionPorts = {
    clock,
    random,
    log,
    sealer,
    subscriptions: stores.subscriptions,
    deliveries: stores.deliveries,
    events: stores.events,
    announcements: stores.happened,
    sender: makeWebhookSender(outbound, { now: () => clock.now(), rules }),
    secrets: makeWebhookSecrets(random),
    clients,
    stops: stores.containment,
    meters,
  };
  return {
    subscriptions: new Subscriptions(ports),
    deliverer: new Deliverer(ports),
    deliverySweep: new DeliverySweep(clock, stores.deliveries),
    closeReceivers: () => outbound.close(),
  };
}
