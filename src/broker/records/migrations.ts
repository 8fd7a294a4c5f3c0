import type { MigratedNoun, RecordFields } from "./migration-ports.ts";

/** One change of stored records between versions. */
export interface Migration {
  /** Stable: under this name the store remembers how far it is, and that it is done. */
  readonly name: string;
  /** For whoever decides when to run it. */
  readonly does: string;
  readonly noun: MigratedNoun;
  /** Format of what it writes: it runs only where every process reads that one, and from then on no other starts. */
  readonly format: number;
  /** The record as it should be; undefined: it is. Pure, and of what it wrote itself it says undefined. */
  readonly change: (record: RecordFields) => RecordFields | undefined;
}

/**
 * Every migration, oldest first. Readers take what they have not reached yet (`store/records.ts`), so none is urgent, and all may be
 * run while brokers work. One is deleted, with the part of the reader that it makes needless, a version after the one that
 * brought it.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: "policies-have-rules",
    does: "policies from before there were rules get the one rule that they meant",
    noun: "policy",
    format: 1,
    change: ({ servers, actions, rules, ...policy }) =>
      rules !== undefined
        ? undefined
        : {
            ...policy,
            rules: [
              {
                ...(servers !== undefined && { servers }),
                users: "all",
                libraries: "all",
                actions: actions ?? [],
              },
            ],
          },
  },
];
