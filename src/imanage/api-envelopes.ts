import { z } from "zod";
import { printable } from "../outbound/printable-text.ts";

/**
 * What of iManage's answers is used; everything else is ignored, and so may change. Envelopes differ by resource
 * (facts page, C): one object in `data`, lists in `data`, documents in `data.results`.
 */

/**
 * Ids end up in paths, where these two mean something else, however they are encoded (WHATWG URL, "dot segments"), and
 * where half a surrogate pair cannot be encoded at all.
 */
export const isPathSegment = (id: string): boolean => id !== "." && id !== ".." && id.isWellFormed();

/** Ids appear as numbers and as strings; inside they are strings. */
const idSchema = z
  .union([z.string().min(1).max(256), z.number().int()])
  .transform((id) => String(id))
  .refine(isPathSegment);
/** JSON can carry half a surrogate pair; what reads it after us need not. */
const textSchema = z
  .string()
  .max(1024)
  .transform((text) => text.toWellFormed())
  .optional()
  .catch(undefined);
/** Flags appear as booleans; 1 and 0 are taken for them too. */
const flagSchema = z
  .union([z.boolean(), z.number()])
  .transform((flag) => flag === true || flag === 1)
  .catch(false);
/** What is neither is not said. */
const maybeFlagSchema = z
  .union([z.boolean(), z.number()])
  .transform((flag) => flag === true || flag === 1)
  .optional()
  .catch(undefined);

export const discoverySchema = z.object({
  data: z.object({
    auth_status: z.string(),
    dms_version: textSchema,
    user: z
      .object({ id: idSchema, customer_id: idSchema, name: textSchema, email: textSchema })
      .optional()
      .catch(undefined),
    versions: z
      .array(z.object({ name: z.string(), url: z.string() }))
      .optional()
      .catch(undefined),
  }),
});

/** The same for a diagnosis, which looks at servers of which nothing is known yet: what is missing is told as missing. */
export const probedDiscoverySchema = z.object({
  data: z.object({
    auth_status: z.string().optional().catch(undefined),
    dms_version: z
      .union([z.string(), z.number()])
      .transform((version) => printable(String(version), 64))
      .optional()
      .catch(undefined),
    capabilities: z
      .array(z.string().transform((name) => printable(name, 64)))
      .max(100)
      .optional()
      .catch(undefined),
    versions: z
      .array(z.object({ name: z.string(), url: z.string() }))
      .optional()
      .catch(undefined),
  }),
});

export const librariesSchema = z.object({
  data: z
    .array(z.object({ id: idSchema, display_name: textSchema, is_hidden: flagSchema, type: textSchema }))
    .max(10_000),
});

export const operationsSchema = z.object({
  data: z.object({
    m2_bits: z.object({ use_admin_tool: flagSchema }).optional().catch(undefined),
    m4_bits: z
      .object({ admin_tier_1: flagSchema, admin_tier_2: flagSchema, admin_tier_3: flagSchema })
      .optional()
      .catch(undefined),
  }),
});

export const groupsSchema = z.object({ data: z.array(z.object({ id: idSchema })) });

export const documentsSchema = z.object({
  data: z.object({ results: z.array(z.unknown()) }),
  cursor: z.string().max(4096).nullish(),
  total_count: z.number().int().nonnegative().optional().catch(undefined),
});

export const foundSchema = z.object({ data: z.array(z.unknown()).max(10_000) });

export const oneDocumentSchema = z.object({ data: z.unknown() });

export const oneContainerSchema = z.object({
  data: z.object({
    id: idSchema,
    name: textSchema,
    description: textSchema,
    owner: textSchema,
    create_date: textSchema,
    edit_date: textSchema,
    default_security: textSchema,
    workspace_id: textSchema,
    parent_id: textSchema,
    folder_type: textSchema,
    custom1: textSchema,
    custom2: textSchema,
  }),
});

export const oneUserSchema = z.object({
  data: z.object({
    id: idSchema,
    full_name: textSchema,
    email: textSchema,
    allow_logon: maybeFlagSchema,
    preferred_library: textSchema,
  }),
});

export const oneGroupSchema = z.object({
  data: z.object({
    id: idSchema,
    full_name: textSchema,
    enabled: maybeFlagSchema,
    is_external: maybeFlagSchema,
  }),
});

export const eventsSchema = z.object({
  data: z.array(z.unknown()).max(100_000),
  cursor: z.string().min(1).max(4096),
  overflow: flagSchema,
});

export const eventSchema = z.object({
  action_type: z.string().min(1).max(64),
  item_type: z.string().min(1).max(64),
  object_id: idSchema,
  root_id: idSchema.nullish().catch(undefined),
  event_date: textSchema,
});
