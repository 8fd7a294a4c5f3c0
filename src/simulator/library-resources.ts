import { libraryOf, resource } from "./api.ts";
import { isMember } from "./libraries.ts";

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
