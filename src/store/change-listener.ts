import type { ClientId, OrganisationId, SyncId } from "../domain/id.ts";
import type { EventAnnouncements } from "../events/ports.ts";
import type { ChangeAnnouncements } from "../sync/ports.ts";
import { AnnouncementListener } from "./announcement-listener.ts";
import type { RedisConnection } from "./connect-redis.ts";

/** Channel on which a page with changes, or the end of a sync, is announced: `<sync>`. */
export const CHANGES_CHANNEL = "b1:sync-changes";
/** Channel on which an event in an organisation's log is announced: `<organisation>`. */
export const EVENTS_CHANNEL = "b1:events";
/** Channel on which it is announced that syncs which waited for somebody are due at once: `<organisation>`. */
export const SYNCS_DUE_CHANNEL = "b1:syncs-due";
/** Channel on which it is announced that a client was stopped, changed or contained everywhere, or not any more: `<client>`. */
export const CLIENTS_CHANNEL = "b1:client-changed";

export class ChangeListener extends AnnouncementListener<SyncId> implements ChangeAnnouncements {
  constructor(connection: RedisConnection) {
    super(connection, CHANGES_CHANNEL);
  }
}

export class EventListener extends AnnouncementListener<OrganisationId> implements EventAnnouncements {
  constructor(connection: RedisConnection) {
    super(connection, EVENTS_CHANNEL);
  }
}

export class SyncsDueListener extends AnnouncementListener<OrganisationId> {
  constructor(connection: RedisConnection) {
    super(connection, SYNCS_DUE_CHANNEL);
  }
}

export class ClientListener extends AnnouncementListener<ClientId> {
  readonly #hear: (() => void)[] = [];

  constructor(connection: RedisConnection) {
    super(connection, CLIENTS_CHANNEL);
  }

  /** Who writes in this very process says so: whoever asks here next must not wait for the announcement. */
  readonly wroteHere = (): void => {
    for (const hear of this.#hear) hear();
  };

  eachWrittenHere(hear: () => void): void {
    this.#hear.push(hear);
  }
}
