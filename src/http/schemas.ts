import { z } from "zod";
import type {} from "zod-openapi";
import { timing } from "../domain/access-policy.ts";
import {
  type ClientId,
  type ConnectSessionId,
  type ContainmentId,
  type EventId,
  type GrantId,
  type IdType,
  type OrganisationId,
  parseId,
  type ServerId,
  type SubscriptionId,
  type SyncId,
} from "../domain/id.ts";
import type { MemberClaim } from "../domain/members.ts";
import { CLIENT_ISSUER } from "../domain/subject.ts";
import { userAssertionLimits } from "../domain/user-assertion.ts";

/** Shapes that several routes share, in wire spelling. */
function id<T>(type: IdType, what: string) {
  return z
    .string()
    .max(64)
    .superRefine((text, ctx) => {
      if (parseId(type, text) !== undefined) return;
      const message = `must be the id of ${what}: ${type}_…`;
      ctx.addIssue({ code: "custom", message, params: { namesNothing: text.startsWith(`${type}_`) } });
    })
    .transform((text) => text as T)
    .meta({ type: "string", description: `Id of ${what}.`, examples: [`${type}_…`] });
}

export const clientId = id<ClientId>("cli", "a client");
export const serverId = id<ServerId>("srv", "a server");
export const organisationId = id<OrganisationId>("org", "an organisation");
export const grantId = id<GrantId>("grt", "a grant");
export const connectSessionId = id<ConnectSessionId>("cns", "a connect session");
export const containmentId = id<ContainmentId>("ctn", "a containment");
export const eventId = id<EventId>("evt", "an event");
export const subscriptionId = id<SubscriptionId>("sub", "a subscription to events");
export const syncId = id<SyncId>("syn", "a sync");

export const instant = z.string().meta({ format: "date-time", description: "RFC 3339, UTC, milliseconds." });

/** A moment that a caller names, in any of RFC 3339's spellings. */
export const instantIn = z.iso
  .datetime({ offset: true })
  .meta({ format: "date-time", description: "RFC 3339, with its offset." });

/**
 * No control characters, trimmed length: what people and logs can read. No half of a surrogate pair: JSON can carry one,
 * and Redis' scripts cannot read it again.
 */
export const line = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => !/[\u0000-\u001f\u007f]/.test(text), "must not hold control characters")
    .refine((text) => text.isWellFormed(), "must not hold half a character");

const claimsOf = (told: Readonly<Record<string, readonly string[]>>): readonly MemberClaim[] =>
  Object.entries(told).flatMap(([name, values]) => values.map((value) => ({ name, value })));

export const userSubject = z
  .strictObject({
    type: z.literal("user"),
    id: line(256).meta({ description: "Your own, stable identifier of the person. Not an e-mail address." }),
    issuer: line(256)
      .default(CLIENT_ISSUER)
      .meta({ description: "Who vouches for the id: you yourself unless you say otherwise." }),
    claims: z
      .record(line(64), z.array(line(256)).max(50))
      .refine((told) => Object.keys(told).length <= 10, "must hold at most ten claims")
      .optional()
      .meta({
        description:
          'What you know of the person, as lists by name, for organisations that enabled iManage by a claim: {"groups": ["imanage-users"]}.',
      }),
  })
  .transform(({ claims, ...subject }) => ({ ...subject, ...(claims && { claims: claimsOf(claims) }) }))
  .meta({ id: "UserSubject" });

export const assertionSubject = z
  .strictObject({
    type: z.literal("assertion"),
    token: z.string().min(1).max(userAssertionLimits.bytes).meta({
      description:
        "What the organisation's identity provider signed for the person: an ID token, at most ten minutes old. Its `iss` becomes his issuer, its subject his id, and its claims say whether he is a member.",
    }),
  })
  .meta({ id: "AssertionSubject" });

/** Who a person is: by the client's own word, or by his identity provider's. */
export const person = z.discriminatedUnion("type", [userSubject, assertionSubject]);

export const librarySubject = z
  .strictObject({
    type: z.literal("library"),
    id: line(128).meta({ description: "iManage's library id, for example ACTIVE." }),
  })
  .meta({ id: "LibrarySubject" });

/** For whom, by the client's own word alone. */
export const namedSubject = z.discriminatedUnion("type", [userSubject, librarySubject]);

export const subject = z.discriminatedUnion("type", [userSubject, assertionSubject, librarySubject]);

export const minTtl = z
  .int()
  .min(0)
  .max(timing.maxMinTtlMs / 1_000)
  .optional()
  .meta({
    description: `Seconds that the token must still live; ${timing.defaultMinTtlMs / 1_000} if not given, or less where the policy allows less.`,
  });

/** The same in a form, where every value is text. */
export const minTtlText = z.coerce
  .number()
  .int()
  .min(0)
  .max(timing.maxMinTtlMs / 1_000)
  .meta({ description: "Seconds that the token must still live." });

export const rejected = z
  .string()
  .regex(/^[A-Za-z0-9_-]{22}$/, "must be the fingerprint of a token this broker gave")
  .meta({
    description:
      "Fingerprint of a token that iManage answered 401 to. At most one refresh follows, and only if it is still the current one.",
  });

export const purpose = line(200).meta({ description: "Why, for the audit." });

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    next: z.string().nullable().meta({ description: "Cursor of the next page; null at the end." }),
  });

export const pageQuery = {
  cursor: z.string().max(512).optional().meta({ description: "`next` of the page before." }),
  limit: z.coerce.number().int().min(1).max(500).default(50),
};
