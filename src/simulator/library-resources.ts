import { libraryOf, resource } from "./api.ts";
import { ApiRefusal } from "./api-refusal.ts";
import { findUser } from "./context.ts";
import { isAdmin, isMember } from "./libraries.ts";

/** GET …/libraries → {data: [], total_count} (C). Hidden ones are listed and marked (C: the field; I: that they are listed). */
export const listLibraries = resource((in_, _call, { user }) => {
  const data = in_.state.world.libraries
    .filter((library) => library.customer_id === user.customer_id && isMember(library, user.id))
    .map(({ id, type, is_hidden, display_name }) => ({
      id,
      type,
      is_hidden,
      ...(display_name !== "" && { display_name }),
    }));
  return { data, total_count: data.length };
});

/** GET …/libraries/{lib}/operations (C: the shape): what this user may do, from his *role*. */
export const libraryOperations = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const admin = library.nrtadmin_role.includes(caller.user.id);
  return {
    data: {
      m2_bits: { use_admin_tool: admin },
      m4_bits: { tier: admin ? 1 : 0, admin_tier_1: admin, admin_tier_2: false, admin_tier_3: false },
    },
  };
});

/** GET …/libraries/{lib}/users/{id}/groups?alias=NRTADMIN → [{id,…}] (C: the shape): his *groups*. */
export const userGroups = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const userId = call.params.user ?? "";
  if (userId !== caller.user.id && !isAdmin(library, caller.user.id))
    throw new ApiRefusal(403, "NRC_FORBIDDEN", "Only an administrator sees another user's groups.");

  if (findUser(in_, caller.user.customer_id, userId) === undefined)
    throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such user.");
  const groups = [
    ...(library.nrtadmin_group.includes(userId) ? [group("NRTADMIN", library.id, "NRTAdmin group")] : []),
    group("EVERYONE", library.id, "Everyone"),
  ];
  const alias = call.query.get("alias");
  const data = groups.filter(({ id }) => alias === null || id === alias.toUpperCase());
  return { data, total_count: data.length };
});

const group = (id: string, database: string, full_name: string) => ({
  id,
  database,
  full_name,
  enabled: true,
  is_external: false,
});
