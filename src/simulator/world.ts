import { z } from "zod";
import { librarySchema } from "./libraries.ts";
import { registrationSchema } from "./registrations.ts";
import { userSchema } from "./users.ts";

/** All that an administrator of this iManage set up; what the OAuth face issued is not part of it. */
export const worldSchema = z.strictObject({
  dms_version: z.string().default("10.2.3812"),
  customers: z.array(z.strictObject({ id: z.int(), name: z.string() })),
  users: z.array(userSchema),
  registrations: z.array(registrationSchema),
  libraries: z.array(librarySchema),
});

export type World = z.output<typeof worldSchema>;
export type WorldInput = z.input<typeof worldSchema>;
