import { type Answer, json } from "./answers.ts";
import { findCaller } from "./api.ts";
import { ApiRefusal, apiRefusalAnswer } from "./api-refusal.ts";
import type { Call } from "./calls.ts";
import type { Context } from "./context.ts";
import { isMember } from "./libraries.ts";

/** GET /api, as captured from a real server (C). What it says without a live token is unknown (?). */
export function discovery(in_: Context, call: Call): Answer {
  const caller = findCaller(in_, call);
  const server = {
    capabilities: ["app_store", "global_users", "oauth"],
    dms_version: in_.state.world.dms_version,
    versions: [{ name: "v2", url: `${call.origin}/work/api/v2`, version: "2.1.1094" }],
  };
  if (caller === undefined) {
    if (in_.state.switches.unauthenticated_discovery === "401")
      return apiRefusalAnswer(
        new ApiRefusal(401, "NRC_UNAUTHORIZED", "The token is missing, ended or expired."),
      );
    return json(200, { data: { auth_status: "unauthenticated", ...server } });
  }

  const { user } = caller;
  return json(
    200,
    {
      data: {
        app: { id: caller.client_id },
        auth_status: "authenticated",
        ...server,
        user: {
          id: user.id,
          name: user.name,
          email: user.email,
          customer_id: user.customer_id,
          ssid: `sim-ssid-${user.customer_id}-${user.id}`,
          user_type: "enterprise",
        },
        work: {
          libraries: in_.state.world.libraries
            .filter(
              (library) =>
                library.customer_id === user.customer_id && !library.is_hidden && isMember(library, user.id),
            )
            .map(({ id, type, status }) => ({ alias: id, type, status })),
          preferred_library: user.preferred_library,
        },
      },
    },
    { "cache-control": "no-store" },
  );
}
