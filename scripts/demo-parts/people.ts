import type { Person } from "../walk/connect.ts";

/** Authorises once and works for months. */
export const MOREAU: Person = { subject: "u-moreau", username: "e.moreau", password: "moreau" };
/** Whose token runs out at the worst moments. */
export const LINDQVIST: Person = { subject: "u-lindqvist", username: "d.lindqvist", password: "lindqvist" };
/** A document of hers is private: Moreau does not see it. */
export const VOSS: Person = { subject: "u-voss", username: "clara.voss", password: "voss" };
/** Library admin. */
export const HART = { username: "amelia.hart", password: "hart", email: "amelia.hart@hartlowell.example" };

export const LIBRARY = "ACTIVE";

/** Who sits at the sample app. */
export const VIEWERS = [
  { id: MOREAU.subject, name: "Élise Moreau" },
  { id: VOSS.subject, name: "Clara Voss" },
] as const;
