import { type Answer, json, page } from "./answers.ts";
import { barred, findCaller } from "./api.ts";
import { ApiRefusal, apiRefusalAnswer } from "./api-refusal.ts";
import type { Call } from "./calls.ts";
import type { Context } from "./context.ts";
import { isMember } from "./libraries.ts";

/** GET /api, as captured from a real server (C). What it says without a live token is unknown (?). */
export function discovery(in_: Context, call: Call): Answer {
  const { switches, world } = in_.state;
  if (switches.discovery_shape === "bare") return json(200, { status: "ok" });
  if (switches.discovery_shape === "html")
    return page(200, "<!doctype html><title>Welcome</title><h1>Welcome</h1>");
  if (switches.discovery_shape === "not_found")
    return apiRefusalAnswer(new ApiRefusal(404, "NRC_NOT_FOUND", "There is nothing here."));

  const caller = findCaller(in_, call);
  const oauth = switches.oauth_capability === "listed" ? ["oauth"] : [];
  const server = {
    capabilities: ["app_store", "global_users", ...oauth],
    dms_version: switches.dms_version ?? world.dms_version,
    versions: [{ name: "v2", url: `${call.origin}/work/api/v2`, version: "2.1.1094" }],
  };
  if (caller === undefined) {
    if (in_.state.switches.unauthenticated_discovery === "401")
      return apiRefusalAnswer(
        new ApiRefusal(401, "NRC_UNAUTHORIZED", "The token is missing, ended or expired."),
      );
    return json(200, { data: { auth_status: "unauthenticated", ...server } });
  }

  if (barred(in_, caller))
    return apiRefusalAnswer(new ApiRefusal(403, "NRC_FORBIDDEN", "The user may not use this application."));
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
