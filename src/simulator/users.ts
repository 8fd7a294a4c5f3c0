import { z } from "zod";

export const userSchema = z.strictObject({
  customer_id: z.int(),
  id: z.string().min(1),
  name: z.string().default(""),
  email: z.string().default(""),
  password: z.string().min(1),
  locked: z.boolean().default(false),
  preferred_library: z.string().default(""),
});

export type User = z.output<typeof userSchema>;
export type UserInput = z.input<typeof userSchema>;

export const user = (input: UserInput): User => userSchema.parse(input);

/** Unique on an origin; a user id alone is unique only within its customer. */
export const userKey = (of: { customer_id: number; id: string }): string => `${of.customer_id}/${of.id}`;
