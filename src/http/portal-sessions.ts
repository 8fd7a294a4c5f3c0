import { z } from "zod";
import { answerOnce } from "../broker/idempotency/answer-once.ts";
import { openPortal } from "../broker/portal/open-portal.ts";
import { rfc3339 } from "../domain/instant.ts";
import { personProblems } from "./post-access-tokens.ts";
import { personOf } from "./read-subject.ts";
import { route } from "./route.ts";
import { instant, line, organisationId, person } from "./schemas.ts";

const role = z.enum(["user", "organisation_admin"]);
const page = z.enum(["my-integrations", "settings"]);

export const postPortalSessions = route({
  method: "post",
  path: "/v1/portal-sessions",
  operationId: "createPortalSession",
  summary: "Open the pages for a person who is signed in at your side",
  description:
    "Send his browser to `url`, once, within five minutes: a window or the system browser, since these pages refuse to be framed. *My integrations* shows him his authorizations and who uses them; *iManage settings* is for organisation admins. The policy needs `connect` for a user, `configure` for an organisation admin.",
  body: z.strictObject({
    organisation: organisationId,
    subject: person,
    role: role.meta({ description: "What he is in this organisation, by your own knowledge." }),
    display_name: line(128).optional().meta({ description: "His name, shown to him." }),
    upstream_user: line(256).optional().meta({
      description:
        "His iManage user id or e-mail. Given, nobody else can finish an authorization on these pages, and the broker completes it itself. Leave it out unless you have verified it: who may change it in your product could collect somebody else's authorization. Left out, an authorization ends at `return_url` with a completion for you.",
    }),
    return_url: z
      .string()
      .max(2_048)
      .meta({ description: "Exactly one of your registered return URLs, letter by letter." }),
    page: page.optional().meta({ description: "Where to begin. `settings` is for organisation admins." }),
  }),
  answer: {
    status: 201,
    description: "The portal session, and where to send the browser.",
    schema: z
      .object({
        id: z.string(),
        organisation: z.string(),
        subject: z.object({ type: z.literal("user"), id: z.string(), issuer: z.string() }),
        role,
        page,
        return_url: z.string(),
        url: z
          .string()
          .optional()
          .meta({ description: "One use. Not told again when an Idempotency-Key is repeated." }),
        expires_at: instant.meta({ description: "When the link is over. A visit lasts half an hour." }),
      })
      .meta({ id: "PortalSession" }),
  },
  problems: ["not_found", "not_allowed", "return_url_not_registered", ...personProblems],
  idempotent: true,
  async handle(call) {
    const { deps, client, caller, body, record, idempotencyKey: key } = call;
    const open = async () => {
      const { session, url } = await openPortal(deps.portal, await record(), {
        organisation: body.organisation,
        subject: await personOf(call, body.subject, body.organisation),
        role: body.role,
        displayName: body.display_name,
        upstreamUser: body.upstream_user,
        returnUrl: body.return_url,
        address: caller.address,
        page: body.page,
      });
      const { type, id, issuer } = session.subject;
      return {
        id: session.id,
        organisation: session.organisation,
        subject: { type, id, issuer },
        role: session.role,
        page: session.page,
        return_url: session.returnUrl,
        url,
        expires_at: rfc3339(session.expiresAt),
      };
    };
    if (key === undefined) return open();
    // The link is a secret: a repeat gets the session without it.
    const at = { organisation: body.organisation, client, key };
    return answerOnce(deps.idempotency, at, body, open, ({ url: _, ...rest }) => rest);
  },
});
