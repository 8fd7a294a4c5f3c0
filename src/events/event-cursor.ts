import type { Sealer } from "../broker/ports.ts";
import { type ClientId, type EventPosition, type OrganisationId, routeOf } from "../domain/id.ts";
import { makePositionCursors } from "../domain/position-cursor.ts";
import { Problem } from "../domain/problem.ts";
import { Secret } from "../domain/secret.ts";

/** Where a client has read to in the events of one organisation. */
export interface EventCursors {
  make(organisation: OrganisationId, client: ClientId, after: EventPosition): Promise<string>;
  /** @throws Problem("invalid_request") for anything but a cursor of this client in this organisation. */
  read(organisation: OrganisationId, client: ClientId, cursor: string): Promise<EventPosition>;
}

export function makeEventCursors(sealer: Pick<Sealer, "fingerprint">): EventCursors {
  const cursorsIn = (organisation: OrganisationId) =>
    makePositionCursors((client, position) =>
      sealer.fingerprint(
        `o:${routeOf(organisation)}`,
        new Secret(`event-cursor\n${organisation}\n${client}\n${position}`),
      ),
    );
  return {
    make: (organisation, client, { number, at }) => cursorsIn(organisation).make(client, `${number}-${at}`),

    async read(organisation, client, cursor) {
      const position = await cursorsIn(organisation).read(client, cursor);
      if (position === undefined) {
        throw new Problem("invalid_request", {
          faults: [{ field: "cursor", message: "is not one that this list gave" }],
        });
      }
      const [number = 0, at = 0] = position.split("-").map(Number);
      return { number, at };
    },
  };
}
