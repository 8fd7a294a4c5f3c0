import { routeOf } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import type { Secret } from "../../domain/secret.ts";
import type { SignedIn } from "../libraries/library-pages.ts";
import type { AuditNote } from "../ports.ts";
import type { CalendarLink, CalendarOwner, CalendarPorts } from "./ports.ts";

type Note = Omit<AuditNote, "actor">;

export const findLink = (ports: CalendarPorts, signedIn: SignedIn): Promise<CalendarLink | undefined> =>
  ports.calendars.findCalendar(ownerOf(signedIn));

/**
 * A new link for the admin who is signed in. Its handle is told here and never again.
 * @param instead when the link that it replaces was created, as the admin saw it; undefined: he saw none. A form that is
 * sent twice must not end the link that the first one made.
 */
export async function createLink(
  ports: CalendarPorts,
  signedIn: SignedIn,
  instead: Instant | undefined,
  note: Note,
): Promise<Secret | undefined> {
  const handle = ports.handles.make(routeOf(signedIn.server.id));
  const outcome = await ports.calendars.putCalendar(
    ownerOf(signedIn),
    ports.handles.digest(handle),
    instead,
    audited(signedIn, note),
  );
  return outcome === "stored" ? handle : undefined;
}

export const revokeLink = (ports: CalendarPorts, signedIn: SignedIn, note: Note) =>
  ports.calendars.dropCalendar(ownerOf(signedIn), audited(signedIn, note));

const ownerOf = ({ server, session: { user } }: SignedIn): CalendarOwner => ({
  server: server.id,
  customerId: user.customerId,
  userId: user.userId,
});

const audited = ({ session: { user } }: SignedIn, note: Note): AuditNote => ({
  ...note,
  actor: `user:${user.customerId}/${user.userId}`,
});
