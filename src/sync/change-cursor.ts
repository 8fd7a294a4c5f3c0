import type { Sealer } from "../broker/ports.ts";
import type { SyncId } from "../domain/id.ts";
import { routeOf } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import { Secret } from "../domain/secret.ts";
import type { ChangeId } from "./ports.ts";

/**
 * Where a client has read to: opaque to it, and authenticated by a digest under its organisation's key, so that it fits
 * one sync and nobody writes one of his own.
 */
export interface ChangeCursors {
  make(sync: SyncId, after: ChangeId): Promise<string>;
  /** @throws Problem("invalid_request") for anything but a cursor of this sync. */
  read(sync: SyncId, cursor: string): Promise<ChangeId>;
}

/** Before the first change. */
export const START: ChangeId = "0-0";

const SHAPE = /^(\d{1,16}-\d{1,6})\.([A-Za-z0-9_-]{22})$/;

export function makeChangeCursors(sealer: Pick<Sealer, "fingerprint">): ChangeCursors {
  const tag = (sync: SyncId, after: string) =>
    sealer.fingerprint(`o:${routeOf(sync)}`, new Secret(`change-cursor\n${sync}\n${after}`));

  return {
    async make(sync, after) {
      return Buffer.from(`${after}.${await tag(sync, after)}`).toString("base64url");
    },

    async read(sync, cursor) {
      const parts = SHAPE.exec(Buffer.from(cursor.slice(0, 100), "base64url").toString("latin1"));
      const [, after, presented] = parts ?? [];
      // Its secrecy guards nothing: whoever asks may read this sync. So the comparison need not take constant time.
      if (after === undefined || presented !== (await tag(sync, after))) {
        throw new Problem("invalid_request", {
          faults: [{ field: "cursor", message: "is not a cursor of this sync" }],
        });
      }
      return after as ChangeId;
    },
  };
}
