import { z } from "zod";
import { type Answer, json } from "./answers.ts";
import { findCaller } from "./api.ts";
import { ApiRefusal, apiRefusalAnswer } from "./api-refusal.ts";
import type { Call } from "./calls.ts";
import { type Context, findRegistration } from "./context.ts";
import { isAdmin } from "./libraries.ts";

const settingsSchema = z.object({
  type: z.literal("value"),
  value: z.object({
    allow_refresh_token: z.boolean(),
    refresh_token_expiry: z.number().positive(),
    access_token_max_idle_time: z.number().positive(),
  }),
});

/**
 * PUT /api/v2/customers/{customer}/settings/{client}/oauth2.tokens (1): older servers have no switch in
 * Control Center and take this call, with a token of scope admin. Days and minutes.
 */
export function putTokenSettings(in_: Context, call: Call): Answer {
  const caller = findCaller(in_, call);
  if (caller === undefined)
    return apiRefusalAnswer(
      new ApiRefusal(401, "NRC_UNAUTHORIZED", "The token is missing, ended or expired."),
    );
  const mayAdminister =
    caller.scope.split(" ").includes("admin") &&
    in_.state.world.libraries.some(
      (library) => library.customer_id === caller.user.customer_id && isAdmin(library, caller.user.id),
    );
  if (!mayAdminister || call.params.customer !== String(caller.user.customer_id))
    return apiRefusalAnswer(
      new ApiRefusal(403, "NRC_FORBIDDEN", "Needs an administrator's token of scope admin."),
    );

  const registration = findRegistration(in_, call.params.client ?? "");
  if (registration === undefined)
    return apiRefusalAnswer(new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such application."));
  const settings = settingsSchema.safeParse(parsed(call.body));
  if (!settings.success)
    return apiRefusalAnswer(
      new ApiRefusal(400, "NRC_INVALID_PARAMETER", "The settings are not readable.", "value"),
    );

  registration.allow_refresh_token = settings.data.value.allow_refresh_token;
  registration.refresh_token_expiry_days = settings.data.value.refresh_token_expiry;
  registration.access_token_expiry_minutes = settings.data.value.access_token_max_idle_time;
  return json(200, { data: settings.data });
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
