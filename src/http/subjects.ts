import { z } from "zod";
import { endSubject } from "../broker/subjects/end-subject.ts";
import { moveSubject } from "../broker/subjects/move-subject.ts";
import { organisationOf } from "../domain/id.ts";
import { CLIENT_ISSUER } from "../domain/subject.ts";
import { personProblems } from "./post-access-tokens.ts";
import { personOf } from "./read-subject.ts";
import { route } from "./route.ts";
import { line, organisationId, person, serverId } from "./schemas.ts";

const known = z.strictObject({
  id: line(256).meta({ description: "The id by which he was known." }),
  issuer: line(512).optional().meta({ description: "Who vouched for it, where it was not you." }),
});

export const postSubjectMove = route({
  method: "post",
  path: "/v1/subjects/move",
  operationId: "moveSubject",
  summary: "One of your users has another id from now on, and does not authorize again",
  description:
    "He was renamed, merged with another account, or has another identity provider. `upstream_user` must be who authorized, or nothing is moved; and where the new id has another iManage user's authorization, neither. The policy needs `revoke` for the old id and `connect` for the new one. May be repeated.",
  body: z.strictObject({
    server: serverId,
    from: known,
    to: person,
    upstream_user: line(256).meta({
      description: "His iManage user id or e-mail, as you know him under the new id.",
    }),
  }),
  answer: {
    status: 200,
    description: "The grant that is the new id's.",
    schema: z
      .object({
        grant: z.string(),
        moved: z.boolean().meta({ description: "False: it was so already." }),
      })
      .meta({ id: "SubjectMoved" }),
  },
  problems: [
    ...([
      "not_found",
      "not_allowed",
      "authorization_required",
      "upstream_user_changed",
      "contained",
    ] as const),
    ...personProblems,
  ],
  async handle(call) {
    const { deps, caller, body, note } = call;
    const to = await personOf(call, body.to, organisationOf(body.server));
    const from = { type: "user", issuer: body.from.issuer ?? CLIENT_ISSUER, id: body.from.id } as const;
    const move = { server: body.server, from, to, upstreamUser: body.upstream_user };
    return await moveSubject(deps.subjects, caller, move, note);
  },
});

export const postSubjectEnd = route({
  method: "post",
  path: "/v1/subjects/end",
  operationId: "endSubject",
  summary: "One of your users has left: every use that you made of his authorizations ends",
  description:
    "At every server of the organisation, at once on every replica; where nobody else uses one, iManage is told. The policy needs `revoke` for him. May be repeated.",
  body: z.strictObject({ organisation: organisationId, subject: known }),
  answer: {
    status: 200,
    description: "What ended.",
    schema: z
      .object({ ended: z.array(z.object({ server: z.string(), grant: z.string() })) })
      .meta({ id: "SubjectEnded" }),
  },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, body, note }) {
    const { id, issuer = CLIENT_ISSUER } = body.subject;
    const subject = { type: "user", issuer, id } as const;
    return { ended: [...(await endSubject(deps.subjects, caller, body.organisation, subject, note))] };
  },
});
