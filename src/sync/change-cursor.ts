import type { Sealer } from "../broker/ports.ts";
import type { SyncId } from "../domain/id.ts";
import { routeOf } from "../domain/id.ts";
import { makePositionCursors } from "../domain/position-cursor.ts";
import { Problem } from "../domain/problem.ts";
import { Secret } from "../domain/secret.ts";
import type { ChangeId } from "./ports.ts";

/** Where a client has read to in one sync. */
export interface ChangeCursors {
  make(sync: SyncId, after: ChangeId): Promise<string>;
  /** @throws Problem("invalid_request") for anything but a cursor of this sync. */
  read(sync: SyncId, cursor: string): Promise<ChangeId>;
}

/** Before the first change. */
export const START: ChangeId = "0-0";

export function makeChangeCursors(sealer: Pick<Sealer, "fingerprint">): ChangeCursors {
  const cursors = makePositionCursors((sync, after) =>
    sealer.fingerprint(`o:${routeOf(sync as SyncId)}`, new Secret(`change-cursor\n${sync}\n${after}`)),
  );
  return {
    make: (sync, after) => cursors.make(sync, after),

    async read(sync, cursor) {
      const after = await cursors.read(sync, cursor);
      if (after !== undefined) return after as ChangeId;
      throw new Problem("invalid_request", {
        faults: [{ field: "cursor", message: "is not a cursor of this sync" }],
      });
    },
  };
}
