import { z } from "zod";
import { answerOnce } from "../broker/idempotency/answer-once.ts";
import { ALL_EVENT_KINDS } from "../domain/event-kinds.ts";
import { subscriptionLimits as limits } from "../domain/event-subscription.ts";
import type { EventId } from "../domain/id.ts";
import { rfc3339, rfc3339OrNull } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { isDown } from "../events/delivery-plan.ts";
import type { DeliveryView, ReplayWish, SubscriptionView } from "../events/subscriptions.ts";
import type { Cursors } from "./deps.ts";
import { route } from "./route.ts";
import {
  eventId,
  instant,
  instantIn,
  line,
  organisationId,
  pageOf,
  pageQuery,
  subscriptionId,
} from "./schemas.ts";

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
const params = z.strictObject({ id: subscriptionId });
const one = { status: 200, description: "The subscription.", schema: subscription } as const;
const problems = ["not_found", "not_allowed"] as const;
const writing = [...problems, "contained"] as const;
const changing = [...writing, "configuration_conflict"] as const;
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
  problems,
  handle: async ({ deps, caller, query }) => ({
    items: (await deps.subscriptions.list(caller, query.organisation)).map(body),
  }),
});

export const getEventSubscription = route({
  method: "get",
  path: "/v1/event-subscriptions/{id}",
  operationId: "getEventSubscription",
  summary: "A subscription, how its receiver does, and what waits",
  params,
  answer: one,
  problems,
  handle: async ({ deps, caller, params: { id } }) => body(await deps.subscriptions.find(caller, id)),
});

export const patchEventSubscription = route({
  method: "patch",
  path: "/v1/event-subscriptions/{id}",
  operationId: "changeEventSubscription",
  summary: "Change where you are called, for what, or whether",
  description:
    "What is not told stays. While it is disabled nothing is sent and nothing is lost for as long as events are kept.",
  params,
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
  params,
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
  params,
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

export const postEventTest = route({
  method: "post",
  path: "/v1/event-subscriptions/{id}/test",
  operationId: "testEventSubscription",
  summary: "Be sent a test event",
  description:
    "Whatever kinds it is for; ten of a client within ten minutes. `GET …/deliveries?event=` tells what became of it.",
  params,
  answer: {
    status: 200,
    description: "The id of the event that is sent.",
    schema: z.object({ event: z.string() }),
  },
  problems: [...writing, "too_much_at_once"],
  handle: async ({ deps, caller, params: { id } }) => ({ event: await deps.subscriptions.test(caller, id) }),
});

const delivery = z
  .object({
    event: z.string(),
    type: z.string(),
    timestamp: instant,
    state: z.enum(["delivered", "waiting", "dead", "withheld"]).meta({
      description: "`withheld`: your policy did not allow it any more, or it was no longer kept.",
    }),
    attempts: z.array(
      z.object({
        at: instant,
        status: z.int().nullable().meta({ description: "`null`: no answer came." }),
        reason: z.string().meta({ description: "`answered`, `redirect`, or why no answer came." }),
        duration_ms: z.int(),
      }),
    ),
  })
  .meta({ id: "EventDelivery" });

const deliveryBody = (of: DeliveryView) => ({
  event: of.event,
  type: of.kind,
  timestamp: rfc3339(of.at),
  state: of.state,
  attempts: of.attempts.map((attempt) => ({
    at: rfc3339(attempt.at),
    status: attempt.status ?? null,
    reason: attempt.reason,
    duration_ms: attempt.elapsedMs,
  })),
});

export const getEventDeliveries = route({
  method: "get",
  path: "/v1/event-subscriptions/{id}/deliveries",
  operationId: "listEventDeliveries",
  summary: "What became of events that were sent to you",
  params,
  query: z.strictObject({
    ...pageQuery,
    event: eventId.optional().meta({ description: "Of this one alone." }),
  }),
  answer: {
    status: 200,
    description:
      "Newest event first; the last two thousand are kept. An event that still waits for its first attempt is not among them.",
    schema: pageOf(delivery),
  },
  problems,
  async handle({ deps, caller, params: { id }, query: { cursor, event, limit } }) {
    const before = cursor === undefined ? undefined : readPosition(deps.cursors, id, cursor);
    const found = await deps.subscriptions.deliveries(caller, id, {
      ...(event !== undefined && { event }),
      ...(before !== undefined && { before }),
      limit: limit + 1,
    });
    const items = found.slice(0, limit);
    const next = found.length > limit ? items.at(-1)?.number : undefined;
    return {
      items: items.map(deliveryBody),
      next: next === undefined ? null : deps.cursors.seal(`deliveries ${id} ${next}`),
    };
  },
});

function readPosition(cursors: Cursors, id: string, cursor: string): number {
  const [list, of, number] = cursors.open(cursor)?.split(" ") ?? [];
  if (list === "deliveries" && of === id) return Number(number);
  throw new Problem("invalid_request", {
    faults: [{ field: "cursor", message: "is none that this list gave" }],
  });
}

export const postEventReplay = route({
  method: "post",
  path: "/v1/event-subscriptions/{id}/replay",
  operationId: "replayEvents",
  summary: "Be sent events again",
  description:
    "One by its id, those of a time, or every dead letter; each under the id it had. They come behind what waits on their lanes.",
  params,
  body: z.strictObject({
    event: eventId.optional(),
    from: instantIn.optional(),
    to: instantIn.optional().meta({ description: "Until now if not given." }),
    dead: z.literal(true).optional(),
  }),
  answer: {
    status: 200,
    description: "How many are sent at the most: what you did not subscribe to is left out as they leave.",
    schema: z.object({ events: z.int() }),
  },
  problems: [...writing, "too_much_at_once"],
  async handle({ deps, caller, params: { id }, body: sent, note }) {
    return { events: await deps.subscriptions.replay(caller, id, wishOf(sent), note) };
  },
});

function wishOf(sent: {
  readonly event?: EventId | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly dead?: true | undefined;
}): ReplayWish {
  const named = [sent.event, sent.from, sent.dead].filter((part) => part !== undefined);
  if (named.length === 1 && (sent.to === undefined || sent.from !== undefined)) {
    if (sent.event !== undefined) return { event: sent.event };
    if (sent.dead !== undefined) return { dead: true };
    const to = sent.to === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(sent.to);
    return { from: Date.parse(sent.from!), to };
  }
  throw new Problem("invalid_request", {
    detail: "Name one event, or from and perhaps to, or dead letters by dead: true.",
  });
}
