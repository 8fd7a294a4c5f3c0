import type { Instant } from "./instant.ts";

/** What repeated looks at the owner's role in a library have said. */
export interface LibraryStanding {
  /** When iManage last answered. */
  readonly checkedAt: Instant;
  /** The bad news of the last look; undefined: he administers the library. */
  readonly bad: "role_lost" | "library_gone" | "not_in_access" | undefined;
  /** When it was first seen. */
  readonly since: Instant | undefined;
  /** When it was seen again and so believed: since then tokens are refused. */
  readonly believedAt: Instant | undefined;
  /** What a colleague's look at the owner's account said, where there is one who may look. */
  readonly account: "there" | "locked" | "unknown" | undefined;
}
