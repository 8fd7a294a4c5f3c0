import { z } from "zod";
import type { EventId } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { DeliveryView, ReplayWish } from "../events/subscriptions.ts";
import type { Cursors } from "./deps.ts";
import { ofSubscription, readingProblems, writingProblems } from "./event-subscriptions.ts";
import { route } from "./route.ts";
import { eventId, instant, instantIn, pageOf, pageQuery } from "./schemas.ts";

export const postEventTest = route({
  method: "post",
  path: "/v1/event-subscriptions/{id}/test",
  operationId: "testEventSubscription",
  summary: "Be sent a test event",
  description:
    "Whatever kinds it is for; ten of a client within ten minutes. `GET …/deliveries?event=` tells what became of it.",
  params: ofSubscription,
  answer: {
    status: 200,
    description: "The id of the event that is sent.",
    schema: z.object({ event: z.string() }),
  },
  problems: [...writingProblems, "too_much_at_once"],
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
  params: ofSubscription,
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
  problems: readingProblems,
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
  params: ofSubscription,
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
  problems: [...writingProblems, "too_much_at_once"],
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
