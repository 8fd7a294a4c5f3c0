import type { Meters } from "../broker/meter-ports.ts";
import type { Clock, Random, Timers } from "../broker/ports.ts";
import type { Tracer } from "../broker/tracer.ts";
import type { Settings } from "../config/settings.ts";
import { CallPlaces } from "../imanage/call-places.ts";
import { ImanageApi } from "../imanage/imanage-api.ts";
import { ImanageAuthorizationServer } from "../imanage/imanage-authorization-server.ts";
import { ImanageProbes } from "../imanage/imanage-probes.ts";
import { Outbound } from "../outbound/outbound.ts";
import type { Stores } from "./open-stores.ts";
import { egressProxy } from "./read-addresses.ts";

/** The door to iManage, and whoever goes through it. */
export async function reachImanage(by: {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly stores: Stores;
  readonly meters: Meters;
  readonly tracer: Tracer | undefined;
}) {
  const { settings, clock, timers, random, stores, meters, tracer } = by;
  const outbound = new Outbound({
    loopbackOrigins: settings.EGRESS_LOOPBACK_ORIGINS,
    privateRanges: settings.EGRESS_PRIVATE_CIDRS,
    proxy: await egressProxy(settings),
    meters,
    tracer,
  });
  const now = () => clock.now();
  const places = new CallPlaces({
    calls: stores.calls,
    timers,
    monotonicMs: clock.monotonicMs,
    makeCallId: () => Buffer.from(random.bytes(16)).toString("base64url"),
  });
  return {
    outbound,
    authorizationServer: new ImanageAuthorizationServer(outbound, { now }),
    api: new ImanageApi(outbound, { now, places }),
    backgroundApi: new ImanageApi(outbound, { now, places, background: true }),
    probes: new ImanageProbes(outbound, { now }),
  };
}
