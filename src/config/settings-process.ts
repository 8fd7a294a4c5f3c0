import { z } from "zod";
import { integer } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";

/** How the program runs. */

export const environmentSettings = {
  NODE_ENV: z
    .enum(["development", "test", "production"], "must be development, test or production")
    .default("production")
    .describe(
      "Which rules apply. Whoever forgets it gets the strict ones; `development` and `test` allow loopback http.",
    ),
};

export const logSettings = {
  LOG_LEVEL: z
    .enum(
      ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
      "must be fatal, error, warn, info, debug, trace or silent",
    )
    .default("info")
    .describe("How much is logged. No level logs a secret."),
};

export const shutdownSettings = {
  SHUTDOWN_DRAIN_SECONDS: integer(0, 30)
    .default(0)
    .describe(
      "How long, after SIGTERM, `/readyz` says not ready before new connections are refused. 0 where whatever stands in front turns to another replica when a connection is refused; else as long as it takes to look at `/readyz`.",
    ),
};

export const testSettings = {
  FAIL_POINTS: z
    .enum(["true", "false"], "must be true or false")
    .default("false")
    .transform((text) => text === "true")
    .describe(
      "`true` lets the test that started this process kill, stop or hold it at named points of a refresh. Refused in production.",
    ),
};

export const testRelations: readonly Relation<Values<typeof testSettings & typeof environmentSettings>>[] = [
  {
    setting: "FAIL_POINTS",
    dependsOn: ["NODE_ENV"],
    holds: (c) => !isProduction(c) || !c.FAIL_POINTS,
    message: "is refused in production: it is for tests. Remove it",
  },
];

export const isProduction = (c: { readonly NODE_ENV: string }): boolean => c.NODE_ENV === "production";
