import { z } from "zod";

/** What settings must be to one another. */
export interface Relation<C> {
  /** The one that is told to be wrong. */
  readonly setting: keyof C & string;
  readonly dependsOn: readonly (keyof C & string)[];
  readonly holds: (settings: C) => boolean;
  /** Continues the setting's name to a sentence, without the full stop. */
  readonly message: string;
}

/** What is read of a topic's settings. */
export type Values<Fields extends z.ZodRawShape> = z.output<z.ZodObject<Fields>>;

/**
 * Asked as soon as the setting and those it depends on are right by themselves, whatever else is wrong: so all faults
 * come together.
 */
export function checkOf<C>({ setting, dependsOn, holds, message }: Relation<C>) {
  const names: readonly unknown[] = [setting, ...dependsOn];
  return z.refine<C>(holds, {
    path: [setting],
    error: message,
    params: { relation: true },
    when: ({ issues }: z.core.ParsePayload) =>
      !issues.some((issue) => names.includes(issue.path?.[0]) && !isRelation(issue)),
  });
}

const isRelation = (issue: z.core.$ZodRawIssue): boolean =>
  issue.code === "custom" && issue.params?.relation === true;
