import { z } from "zod";
import { UNSAID_CUSTOMER } from "../broker/containment/contain.ts";
import {
  type Containment,
  type ContainmentProgress,
  type ContainmentTarget,
  isFinished,
  targetInWords,
  tokensToDo,
} from "../domain/containment.ts";
import { rfc3339 } from "../domain/instant.ts";
import {
  clientId,
  grantId,
  instant,
  instantIn,
  line,
  organisationId,
  serverId,
  userSubject,
} from "./schemas.ts";

const window = {
  organisation: organisationId,
  from: instantIn,
  to: instantIn.optional().meta({ description: "Now, unless you say otherwise; never later." }),
  client: clientId.optional(),
  server: serverId.optional(),
};

export const target = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("organisation"), organisation: organisationId }),
  z
    .strictObject({
      kind: z.literal("client"),
      client: clientId,
      organisation: organisationId.optional().meta({
        description:
          "Left out: everywhere. That is for clients of role `operator`, and shuts the client out altogether.",
      }),
      server: serverId.optional(),
    })
    .refine(({ organisation, server }) => server === undefined || organisation !== undefined, {
      path: ["organisation"],
      message: "must be named where a server is",
    }),
  z.strictObject({ kind: z.literal("server"), server: serverId }),
  z.strictObject({
    kind: z.literal("user"),
    server: serverId,
    user_id: line(256).meta({ description: "iManage's user id." }),
    customer_id: line(64).optional().meta({
      description: "iManage's customer id. The server's, unless you say otherwise; 1 on premises as a rule.",
    }),
  }),
  z.strictObject({ kind: z.literal("subject"), server: serverId, client: clientId, subject: userSubject }),
  z.strictObject({ kind: z.literal("library"), server: serverId, library: line(128) }),
  z.strictObject({ kind: z.literal("grant"), grant: grantId }),
  z
    .strictObject({ kind: z.literal("consents"), ...window })
    .meta({ description: "Authorizations that people gave in this time." }),
  z.strictObject({ kind: z.literal("tokens"), ...window }).meta({
    description: "Authorizations of which tokens were handed out in this time, as the audit here tells.",
  }),
]);

export function readTarget(sent: z.infer<typeof target>, now: number): ContainmentTarget {
  switch (sent.kind) {
    case "user":
      return {
        kind: "user",
        server: sent.server,
        user: { customerId: sent.customer_id ?? UNSAID_CUSTOMER, userId: sent.user_id },
      };
    case "subject": {
      const { type, id, issuer } = sent.subject;
      return { kind: "subject", server: sent.server, client: sent.client, subject: { type, id, issuer } };
    }
    case "client": {
      const { organisation, server } = sent;
      return {
        kind: "client",
        client: sent.client,
        ...(organisation !== undefined && { organisation }),
        ...(server !== undefined && { server }),
      };
    }
    case "consents":
    case "tokens": {
      const { kind, organisation, from, to, client, server } = sent;
      return {
        kind,
        organisation,
        from: Date.parse(from),
        to: to === undefined ? now : Date.parse(to),
        ...(client !== undefined && { client }),
        ...(server !== undefined && { server }),
      };
    }
    default:
      return sent;
  }
}

export const progress = z
  .object({
    finished: z.boolean(),
    counted: z.boolean().meta({ description: "False: grants are still being found, and the counts grow." }),
    grants: z.int(),
    clients: z.int(),
    users: z.int(),
    libraries: z.int(),
    tokens: z.object({
      all: z.int(),
      to_do: z.int(),
      revoked: z.int(),
      already_dead: z.int().meta({ description: "iManage knew the token no more." }),
      refused: z.int().meta({ description: "Of those to do: refused at least once, and tried again." }),
      given_up: z.int(),
    }),
    refusals: z.array(z.object({ why: z.string(), tokens: z.int() })).optional(),
  })
  .meta({ id: "ContainmentProgress" });

export const containment = z
  .object({
    id: z.string(),
    kind: z.string(),
    target: z.record(z.string(), z.unknown()),
    in_words: z.string(),
    effect: z.enum(["stop", "revoke"]),
    reason: z.string(),
    by: z.string(),
    since: instant,
    lifted: z.object({ at: instant, by: z.string(), reason: z.string() }).nullable(),
    progress: progress.optional(),
  })
  .meta({ id: "Containment" });

export function containmentBody(of: Containment) {
  const { lifted } = of;
  return {
    id: of.id,
    kind: of.target.kind,
    target: targetBody(of.target),
    in_words: targetInWords(of.target),
    effect: of.effect,
    reason: of.reason,
    by: of.by,
    since: rfc3339(of.since),
    lifted: lifted === undefined ? null : { ...lifted, at: rfc3339(lifted.at) },
  };
}

function targetBody(of: ContainmentTarget): Record<string, unknown> {
  switch (of.kind) {
    case "user":
      return {
        kind: of.kind,
        server: of.server,
        user_id: of.user.userId,
        customer_id: of.user.customerId,
      };
    case "consents":
    case "tokens":
      return { ...of, from: rfc3339(of.from), to: rfc3339(of.to) };
    default:
      return { ...of };
  }
}

export const progressBody = (
  of: ContainmentProgress,
  refusals?: readonly { readonly why: string; readonly tokens: number }[],
) => ({
  finished: isFinished(of),
  counted: of.counted,
  grants: of.grants,
  clients: of.clients,
  users: of.users,
  libraries: of.libraries,
  tokens: {
    all: of.tokens,
    to_do: tokensToDo(of),
    revoked: of.revoked,
    already_dead: of.alreadyDead,
    refused: of.refused,
    given_up: of.givenUp,
  },
  ...(refusals && { refusals: [...refusals] }),
});
