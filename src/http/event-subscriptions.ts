import { z } from "zod";
import { answerOnce } from "../broker/idempotency/answer-once.ts";
import { ALL_EVENT_KINDS } from "../domain/event-kinds.ts";
import { subscriptionLimits as limits } from "../domain/event-subscription.ts";
import { rfc3339, rfc3339OrNull } from "../domain/instant.ts";
import { isDown } from "../events/delivery-plan.ts";
import type { SubscriptionView } from "../events/subscriptions.ts";
import { route } from "./route.ts";
import { instant, line, organisationId, subscriptionId } from "./schemas.ts";

const secretAnswer = z
  .object({ added_at: instant, ends_at: instant.nullable() })
  .meta({ id: "SubscriptionSecret", description: "How long it signs. Never the secret." });

const subscription = z
  .object({
    id: z.string(),
    organisation: z.string(),
    url: z.string(),
    kinds: z.array(z.string()).nullable().meta({ description: "`null`: every kind, also those to come." }),
    description: z.string(),
    enabled: z.boolean(),
    disabled_because: z.string().nullable().meta({
      description: "`gone`: the receiver answered 410. Enable it again when it is back: nothing is lost.",
    }),
    secrets: z.array(secretAnswer).meta({ description: "Newest first; each signs until it ends." }),
    delivery: z.object({
      receiver: z.enum(["ok", "down", "paused"]).meta({
        description:
          "`down`: it is probed, at most every five minutes, and sent everything at once when it answers again. `paused`: it asked for time.",
      }),
      waiting: z.int(),
      delivered: z.int(),
      dead: z.int().meta({ description: "Not taken for three days; `replay` sends them again." }),
      missed: z.int().meta({
        description: "Events that were no longer kept when it was their turn: read on by `GET /v1/events`.",
      }),
      last_taken_at: instant.nullable(),
      last_failure: z.object({ at: instant, status: z.int().nullable(), reason: z.string() }).nullable(),
      next_attempt_at: instant.nullable(),
    }),
    created_at: instant,
  })
  .meta({ id: "EventSubscription" });

function body({ subscription: of, delivery }: SubscriptionView) {
  const { lastFailure: failure, receiver } = delivery;
  return {
    id: of.id,
    organisation: of.organisation,
    url: of.url,
    kinds: of.kinds === "all" ? null : [...of.kinds],
    description: of.description,
    enabled: of.enabled,
    disabled_because: of.disabledBecause ?? null,
    secrets: of.secrets.map(({ addedAt, endsAt }) => ({
      added_at: rfc3339(addedAt),
      ends_at: rfc3339OrNull(endsAt),
    })),
    delivery: {
      receiver: isDown(receiver)
        ? ("down" as const)
        : receiver.pausedUntil === undefined
          ? ("ok" as const)
          : ("paused" as const),
      waiting: delivery.waiting,
      delivered: delivery.delivered,
      dead: delivery.dead,
      missed: delivery.missed,
      last_taken_at: rfc3339OrNull(delivery.lastTakenAt),
      last_failure: failure
        ? { at: rfc3339(failure.at), status: failure.status ?? null, reason: failure.reason }
        : null,
      next_attempt_at: rfc3339OrNull(delivery.nextAt),
    },
    created_at: rfc3339(of.createdAt),
  };
}

const url = z
  .string()
  .min(1)
  .max(limits.urlLength)
  .meta({
    description: "https, on a public address. Redirects are not followed.",
    examples: ["https://app.example.com/imanage/events"],
  });
const kinds = z
  .array(z.enum(ALL_EVENT_KINDS))
  .min(1)
  .max(50)
  .nullable()
  .meta({ description: "Which events; `null`: every kind, also those to come." });
const description = z
  .string()
  .max(limits.descriptionLength)
  .refine(
    (text) => text === "" || line(limits.descriptionLength).safeParse(text).success,
    "must be one line",
  );

const shownOnce = z.string().optional().meta({
  description:
    "`whsec_…`, for any library of Standard Webhooks. Shown this once: not told again when an Idempotency-Key is repeated.",
});
export const ofSubscription = z.strictObject({ id: subscriptionId });
const one = { status: 200, description: "The subscription.", schema: subscription } as const;
export const readingProblems = ["not_found", "not_allowed"] as const;
export const writingProblems = [...readingProblems, "contained"] as const;
const changing = [...writingProblems, "configuration_conflict"] as const;
const withoutSecret = ({ secret: _, ...rest }: { readonly secret?: string }): object => rest;

const told = (from: {
  readonly url?: string | undefined;
  readonly kinds?: readonly (typeof ALL_EVENT_KINDS)[number][] | null | undefined;
  readonly description?: string | undefined;
  readonly enabled?: boolean | undefined;
}) => ({
  ...(from.url !== undefined && { url: from.url }),
  ...(from.kinds !== undefined && { kinds: from.kinds ?? ("all" as const) }),
  ...(from.description !== undefined && { description: from.description }),
  ...(from.enabled !== undefined && { enabled: from.enabled }),
});

export const postEventSubscriptions = route({
  method: "post",
  path: "/v1/event-subscriptions",
  operationId: "createEventSubscription",
  summary: "Be called when something happens",
  description:
    "Each event is one POST as Standard Webhooks has it: `webhook-id`, `webhook-timestamp`, `webhook-signature`, and an `Event` without its id in the body. Answer 2xx within ten seconds and work on it afterwards. Told at least once; what comes twice has the same `webhook-id`. Events about one authorization, sync, library or server come in their order. What you do not take is sent again for three days.",
  body: z.strictObject({
    organisation: organisationId,
    url,
    kinds: kinds.optional(),
    description: description.optional(),
    enabled: z.boolean().optional(),
  }),
  answer: {
    status: 201,
    description: "The subscription, and its secret.",
    schema: subscription.extend({ secret: shownOnce }).meta({ id: "NewEventSubscription" }),
  },
  problems: [...changing, "configuration_refused", "idempotency_conflict"],
  idempotent: true,
  async handle({ deps, caller, client, body: sent, note, idempotencyKey: key }) {
    const { organisation } = sent;
    const create = async () => {
      const wish = { ...told(sent), url: sent.url };
      const made = await deps.subscriptions.create(caller, organisation, wish, note);
      return { ...body(made.view), secret: made.secret.reveal() };
    };
    if (key === undefined) return create();
    const at = { organisation, client, key };
    return answerOnce(deps.idempotency, at, { createEventSubscription: sent }, create, withoutSecret);
  },
});

export const getEventSubscriptions = route({
  method: "get",
  path: "/v1/event-subscriptions",
  operationId: "listEventSubscriptions",
  summary: "Your subscriptions in one organisation",
  query: z.strictObject({ organisation: organisationId }),
  answer: {
    status: 200,
    description: "All of them, oldest first.",
    schema: z.object({ items: z.array(subscription) }),
  },
  problems: readingProblems,
  handle: async ({ deps, caller, query }) => ({
    items: (await deps.subscriptions.list(caller, query.organisation)).map(body),
  }),
});

export const getEventSubscription = route({
  method: "get",
  path: "/v1/event-subscriptions/{id}",
  operationId: "getEventSubscription",
  summary: "A subscription, how its receiver does, and what waits",
  params: ofSubscription,
  answer: one,
  problems: readingProblems,
  handle: async ({ deps, caller, params: { id } }) => body(await deps.subscriptions.find(caller, id)),
});

export const patchEventSubscription = route({
  method: "patch",
  path: "/v1/event-subscriptions/{id}",
  operationId: "changeEventSubscription",
  summary: "Change where you are called, for what, or whether",
  description:
    "What is not told stays. While it is disabled nothing is sent and nothing is lost for as long as events are kept.",
  params: ofSubscription,
  body: z.strictObject({
    url: url.optional(),
    kinds: kinds.optional(),
    description: description.optional(),
    enabled: z.boolean().optional(),
  }),
  answer: one,
  problems: changing,
  handle: async ({ deps, caller, params: { id }, body: sent, note }) =>
    body(await deps.subscriptions.change(caller, id, told(sent), note)),
});

export const deleteEventSubscription = route({
  method: "delete",
  path: "/v1/event-subscriptions/{id}",
  operationId: "deleteEventSubscription",
  summary: "End a subscription, with what waits for it",
  params: ofSubscription,
  answer: { status: 204, description: "Ended." },
  problems: changing,
  handle: ({ deps, caller, params: { id }, note }) => deps.subscriptions.delete(caller, id, note),
});

export const postSecretRotation = route({
  method: "post",
  path: "/v1/event-subscriptions/{id}/rotate-secret",
  operationId: "rotateSubscriptionSecret",
  summary: "A subscription's next secret",
  description:
    "Both sign until the earlier one ends, so that every replica of the receiver gets the new one in its own time. There are never more than two.",
  params: ofSubscription,
  body: z.strictObject({
    overlap: z
      .int()
      .min(0)
      .max(limits.overlapMaxMs / 1_000)
      .optional()
      .meta({ description: "Seconds that the earlier one goes on; a day if not given, 0 ends it at once." }),
  }),
  answer: {
    status: 200,
    description: "The subscription, and its new secret.",
    schema: subscription.extend({ secret: shownOnce }).meta({ id: "RotatedEventSubscription" }),
  },
  problems: [...changing, "idempotency_conflict"],
  idempotent: true,
  async handle({ deps, caller, client, params: { id }, body: sent, note, idempotencyKey: key }) {
    const overlapMs = sent.overlap === undefined ? undefined : sent.overlap * 1_000;
    const rotate = async () => {
      const { view, secret } = await deps.subscriptions.rotateSecret(caller, id, overlapMs, note);
      return { ...body(view), secret: secret.reveal() };
    };
    if (key === undefined) return rotate();
    const { subscription: of } = await deps.subscriptions.find(caller, id);
    const at = { organisation: of.organisation, client, key };
    return answerOnce(deps.idempotency, at, { rotateSecret: id, ...sent }, rotate, withoutSecret);
  },
});
