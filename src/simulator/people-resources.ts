import { libraryOf, resource } from "./api.ts";
import { ApiRefusal } from "./api-refusal.ts";
import type { Call } from "./calls.ts";
import { type Context, findUser } from "./context.ts";
import { type Group, isAdmin, isMember, type Library } from "./libraries.ts";
import { limitOf, offsetOf } from "./query-of.ts";
import type { User } from "./users.ts";

/** GET …/libraries/{lib}/users → {data: [], total_count} (I: like groups): who may enter. */
export const listUsers = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  return listed(
    call,
    in_.state.world.users
      .filter((user) => user.customer_id === library.customer_id && isMember(library, user.id))
      .map(shownUser),
  );
});

/** GET …/libraries/{lib}/users/{id} → {data: {}} (I). */
export const oneUser = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const user = findUser(in_, library.customer_id, call.params.user ?? "");
  if (user === undefined || !isMember(library, user.id))
    throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such user.");
  return { data: shownUser(user) };
});

/** GET …/libraries/{lib}/users/{id}/groups?alias=NRTADMIN → [{id,…}] (C: the shape): his *groups*. */
export const userGroups = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const userId = call.params.user ?? "";
  if (userId !== caller.user.id && !isAdmin(library, caller.user.id))
    throw new ApiRefusal(403, "NRC_FORBIDDEN", "Only an administrator sees another user's groups.");

  if (findUser(in_, caller.user.customer_id, userId) === undefined)
    throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such user.");
  const alias = call.query.get("alias");
  const data = groupsOf(in_, library)
    .filter(({ id, members }) => members.includes(userId) && (alias === null || id === alias.toUpperCase()))
    .map((group) => shownGroup(library, group));
  return { data, total_count: data.length };
});

/** GET …/libraries/{lib}/groups → {data: [], total_count} (C: the envelope). */
export const listGroups = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  return listed(
    call,
    groupsOf(in_, library).map((group) => shownGroup(library, group)),
  );
});

/** GET …/libraries/{lib}/groups/{id} → {data: {}} (I). */
export const oneGroup = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  return { data: shownGroup(library, groupOf(in_, call, library)) };
});

/** GET …/libraries/{lib}/groups/{id}/members → {data: [], total_count} (I): users. */
export const groupMembers = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const { members } = groupOf(in_, call, library);
  return listed(
    call,
    members
      .map((id) => findUser(in_, library.customer_id, id))
      .filter((user) => user !== undefined)
      .map(shownUser),
  );
});

/** NRTADMIN and EVERYONE are there without being made. */
function groupsOf(in_: Context, library: Library): Group[] {
  const group = (id: string, full_name: string, members: string[]): Group => ({
    id,
    full_name,
    members,
    enabled: true,
    is_external: false,
  });
  const everyone = in_.state.world.users
    .filter(({ customer_id, id }) => customer_id === library.customer_id && isMember(library, id))
    .map(({ id }) => id);
  return [
    group("NRTADMIN", "NRTAdmin group", library.nrtadmin_group),
    group("EVERYONE", "Everyone", everyone),
    ...library.groups,
  ];
}

function groupOf(in_: Context, call: Call, library: Library): Group {
  const found = groupsOf(in_, library).find(({ id }) => id === call.params.group);
  if (found === undefined) throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such group.");
  return found;
}

const shownGroup = (library: Library, { members: _, ...group }: Group) => ({
  ...group,
  database: library.id,
});

const shownUser = ({ id, customer_id, name, email, locked, preferred_library }: User) => ({
  id,
  ssid: `${customer_id}-${id}`,
  full_name: name,
  email,
  allow_logon: !locked,
  preferred_library,
});

function listed<T>(call: Call, all: readonly T[]) {
  const from = offsetOf(call);
  return { data: all.slice(from, from + limitOf(call)), total_count: all.length };
}
