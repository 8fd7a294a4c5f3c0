/**
 * Where a client has read to: opaque to it, and authenticated by a digest under its organisation's key, so that it fits what it was
 * made for and nobody writes one of his own.
 */
export interface PositionCursors {
  /** @param of what it is a position in, and whose */
  make(of: string, position: string): Promise<string>;
  /** Undefined: no cursor of that. */
  read(of: string, cursor: string): Promise<string | undefined>;
}

const SHAPE = /^(\d{1,16}-\d{1,16})\.([A-Za-z0-9_-]{22})$/;

/** @param tagOf keyed digest, 22 characters */
export function makePositionCursors(
  tagOf: (of: string, position: string) => Promise<string>,
): PositionCursors {
  return {
    async make(of, position) {
      return Buffer.from(`${position}.${await tagOf(of, position)}`).toString("base64url");
    },

    async read(of, cursor) {
      const parts = SHAPE.exec(Buffer.from(cursor.slice(0, 100), "base64url").toString("latin1"));
      const [, position, presented] = parts ?? [];
      if (position === undefined) return undefined;
      // Its secrecy guards nothing: whoever asks may read there. So the comparison need not take constant time.
      return presented === (await tagOf(of, position)) ? position : undefined;
    },
  };
}
