import type { UpstreamUser } from "./grant.ts";

/**
 * Enough of a person's name for whoever knows him, and little for who does not: `a***@firm.example`, `a***`. For answers that
 * tell two people of each other.
 */
export function maskedUser({ email, userId }: Pick<UpstreamUser, "email" | "userId">): string {
  const name = email ?? userId;
  const at = name.lastIndexOf("@");
  const [first = ""] = name;
  return `${first}***${at > 0 ? name.slice(at) : ""}`;
}
