import type { Clock, Sealer } from "../broker/ports.ts";
import type { OrganisationId } from "../domain/id.ts";
import type { EventPorts } from "../events/ports.ts";
import { EventReader } from "../events/read-events.ts";
import { trimEvents } from "../events/trim-events.ts";
import type { Stores } from "./open-stores.ts";

/** What has happened, and who is told of it. */
export function keepEvents(by: {
  readonly clock: Clock;
  readonly sealer: Sealer;
  readonly stores: Stores;
  readonly clients: EventPorts["clients"];
}) {
  const { clock, sealer, stores, clients } = by;
  const ports: EventPorts = {
    clock,
    sealer,
    log: stores.events,
    announcements: stores.happened,
    clients,
    stops: stores.containment,
  };
  return {
    events: new EventReader(ports),
    eventLog: stores.events,
    trimEvents: (organisation: OrganisationId) => trimEvents(stores.events, organisation),
  };
}
