import { z } from "zod";
import {
  ALL_EVENT_KINDS,
  EVENT_FIELDS,
  type EventField,
  type EventKind,
  isEventKind,
} from "../domain/event-kinds.ts";
import type { ToldEvent } from "../events/tell-event.ts";
import { route } from "./route.ts";
import { eventId, instant, organisationId } from "./schemas.ts";

/** What each field is, where it is no word. */
const SHAPES: Partial<Record<EventField, z.ZodType>> = {
  subjects: z.array(
    z.object({ type: z.enum(["user", "library"]), id: z.string(), issuer: z.string().optional() }),
  ),
  ends_at: instant,
  changes: z.int(),
  failures: z.int(),
  scan: z.boolean(),
};

const data = z.object({
  organisation: z.string(),
  ...Object.fromEntries(
    Object.entries(EVENT_FIELDS)
      .filter(([name]) => name !== "organisation")
      .map(([name, description]) => {
        const shape = SHAPES[name as EventField] ?? z.string();
        return [name, shape.optional().meta({ description })];
      }),
  ),
});

const event = z
  .object({
    id: z.string().meta({ description: "The same however often it is told: what comes twice, drop." }),
    type: z.string().meta({
      description: `What has happened; pass over what you do not know. Now: ${ALL_EVENT_KINDS.join(", ")}.`,
      examples: ["grant.reauthorization_required"],
    }),
    timestamp: instant,
    data: data.meta({
      description:
        "Ids and codes, of these what the kind tells. Never a token, never a name that iManage gave.",
    }),
  })
  .meta({ id: "Event" });

const kinds = z
  .string()
  .max(1_000)
  .transform((text) => text.split(",").map((word) => word.trim()))
  .superRefine((words, ctx) => {
    for (const word of words.filter((one) => !isEventKind(one)))
      ctx.addIssue({ code: "custom", message: `does not know ${word.slice(0, 40)}` });
  })
  .transform((words) => words as EventKind[])
  .meta({
    type: "string",
    description: "Only these, separated by commas.",
    examples: ["grant.reauthorization_required,grant.recovered"],
  });

const eventBody = ({ id, type, timestamp, data }: ToldEvent): z.input<typeof event> => ({
  id,
  type,
  timestamp,
  data: data as z.input<typeof event>["data"],
});

const problems = ["not_found", "not_allowed", "contained"] as const;

export const getEvents = route({
  method: "get",
  path: "/v1/events",
  operationId: "readEvents",
  summary: "What has happened in an organisation, as far as it concerns you",
  description:
    "Oldest first. Store `cursor` together with what you made of the events and send it next time. With `wait`, the answer comes when something happens. A page may be empty and its cursor another nevertheless: events that are not for you were passed over. Needs `events`.",
  query: z.strictObject({
    organisation: organisationId,
    cursor: z
      .string()
      .max(512)
      .optional()
      .meta({ description: "From the answer before; without it, from the oldest event that is kept." }),
    wait: z.coerce
      .number()
      .min(0)
      .max(60)
      .default(0)
      .meta({ description: "Seconds to wait while there is nothing new." }),
    kinds: kinds.optional(),
    limit: z.coerce.number().int().min(1).max(500).default(50),
  }),
  answer: {
    status: 200,
    description: "Events, oldest first; `cursor` to go on from.",
    schema: z.object({
      items: z.array(event),
      cursor: z.string(),
      truncated: z.boolean().meta({ description: "Without a cursor only: older events are no longer kept." }),
    }),
  },
  problems: ["cursor_expired", "too_much_at_once", ...problems],
  async handle({ deps, caller, query, untilGone }) {
    const page = await deps.events.read({
      caller,
      organisation: query.organisation,
      ...(query.cursor !== undefined && { cursor: query.cursor }),
      ...(query.kinds !== undefined && { kinds: query.kinds }),
      waitMs: query.wait * 1_000,
      limit: query.limit,
      signal: untilGone(),
    });
    return { items: page.events.map(eventBody), cursor: page.cursor, truncated: page.truncated };
  },
});

export const getEvent = route({
  method: "get",
  path: "/v1/events/{id}",
  operationId: "getEvent",
  summary: "One event",
  params: z.strictObject({ id: eventId }),
  answer: { status: 200, description: "The event, as you may know it now.", schema: event },
  problems,
  handle: async ({ deps, caller, params: { id } }) => eventBody(await deps.events.find(caller, id)),
});
