import { path } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

export const keySettings = {
  ROOT_KEYSET_FILE: path()
    .optional()
    .describe(
      "File with the root keyset that wraps every data key (`cli keys create FILE`). Required in production. Lost with it: every authorization.",
    ),
};

export const keyRelations: readonly Relation<Values<typeof keySettings & typeof environmentSettings>>[] = [
  {
    setting: "ROOT_KEYSET_FILE",
    dependsOn: ["NODE_ENV"],
    holds: (c) => !isProduction(c) || c.ROOT_KEYSET_FILE !== undefined,
    message:
      "is required in production: make one with `cli keys create FILE`, keep a copy off this machine, and name it here",
  },
];
