import { z } from "zod";
import type { Context } from "./context.ts";
import { nextContainerId } from "./edit-others.ts";
import type { Edit, Edits } from "./edits.ts";
import type { Library } from "./libraries.ts";
import { fraction } from "./seeded.ts";

export const ACTIVITY_KINDS = [
  ...["changed", "created", "deleted", "restored", "moved", "version", "security"],
  ...["container", "group", "user"],
] as const;

type Kind = (typeof ACTIVITY_KINDS)[number] | string;

export const activitySchema = z.strictObject({
  library: z.string(),
  /** Edits per second of real time; without it all at once, and then `count` must be given. */
  per_second: z.number().positive().max(10_000).optional(),
  /** One is drawn for each edit; a kind that stands here twice is drawn twice as often. */
  kinds: z
    .array(z.enum(ACTIVITY_KINDS as unknown as [string, ...string[]]))
    .min(1)
    .default([...Array(6).fill("changed"), "created", "created", "deleted", "moved"]),
  /** Without it until it is stopped. */
  count: z.int().positive().optional(),
  /** The same seed in the same library makes the same edits. */
  seed: z.int().default(1),
});

export type ActivityOptions = z.input<typeof activitySchema>;

export interface Activity {
  id: string;
  library: string;
  made: number;
  running: boolean;
}

const TICK_MS = 20;
const SAVE_EVERY_MS = 1_000;

/** People at work: edits at a steady rate, drawn from a seed. */
export class Activities {
  readonly #in: Context;
  readonly #edits: Edits;
  readonly #all: (Activity & { timer?: NodeJS.Timeout })[] = [];

  constructor(in_: Context, edits: Edits) {
    this.#in = in_;
    this.#edits = edits;
  }

  list(): Activity[] {
    return this.#all.map(({ timer: _, ...activity }) => activity);
  }

  start(library: Library, options: z.output<typeof activitySchema>): Activity {
    const { per_second, count, seed, kinds } = options;
    if (per_second === undefined && count === undefined)
      throw new RangeError("count is missing: all at once, but how many?");
    const activity: Activity & { timer?: NodeJS.Timeout } = {
      id: `activity-${this.#all.length + 1}`,
      library: `${library.customer_id}/${library.id}`,
      made: 0,
      running: true,
    };
    this.#all.push(activity);
    const workUntil = (due: number) => {
      while (activity.made < due) {
        this.#edits.make(library, this.#draw(library, seed, activity.made, kinds));
        activity.made += 1;
      }
      if (activity.made === count) this.#end(activity);
    };
    if (per_second === undefined) workUntil(count!);
    else {
      const began = performance.now();
      let saved = began;
      activity.timer = setInterval(() => {
        const passed = Math.floor(((performance.now() - began) / 1000) * per_second);
        const due = Math.min(passed, count ?? Number.POSITIVE_INFINITY);
        if (due === activity.made) return;
        workUntil(due);
        // Seldom: the whole state is written, and nobody waits for it.
        if (activity.running && performance.now() < saved + SAVE_EVERY_MS) return;
        saved = performance.now();
        this.#in.save().catch(() => {});
      }, TICK_MS).unref();
    }
    return { id: activity.id, library: activity.library, made: activity.made, running: activity.running };
  }

  /** One, or all. Returns them as they ended. */
  stop(id?: string): Activity[] {
    for (const activity of this.#all)
      if (activity.running && (id === undefined || activity.id === id)) this.#end(activity);
    return this.list().filter((activity) => id === undefined || activity.id === id);
  }

  #end(activity: Activity & { timer?: NodeJS.Timeout }): void {
    clearInterval(activity.timer);
    activity.running = false;
    this.#in.events.emit({ type: "activity_ended", library: activity.library, activity: activity.id });
  }

  #draw(library: Library, seed: number, n: number, kinds: readonly Kind[]): Edit {
    const draw = (salt: number) => fraction(seed, n, salt);
    const of = <T>(from: readonly T[], salt: number): T | undefined =>
      from[Math.floor(draw(salt) * from.length)];
    const shelf = this.#in.shelves.of(library);
    const document = shelf.at(draw(2));
    const users = this.#in.state.world.users.filter(({ customer_id }) => customer_id === library.customer_id);
    const someone = of(users, 3)?.id ?? "somebody";
    const told = `${seed}-${n}`;
    const created = (): Edit => {
      const pattern = document ?? {};
      const {
        id: _,
        document_number: __,
        version: ___,
        visible_to: ____,
        ...fields
      } = pattern as never as {
        [field: string]: unknown;
      };
      const change = { ...fields, name: `New ${told}`, last_user: someone.toUpperCase() };
      const at = new Date(this.#in.now()).toISOString();
      return {
        kind: "document",
        id: `${library.id}!${shelf.highestNumber + 1}.1`,
        change: { ...change, create_date: at, edit_date: at, edit_profile_date: at, file_edit_date: at },
      };
    };
    if (document === undefined) return created();
    const { id } = document;
    switch (of(kinds, 1)) {
      case "created":
        return created();
      case "deleted":
        return { kind: "document", id, change: { deleted: true } };
      case "restored": {
        const gone = of(library.trash, 4);
        return gone === undefined ? created() : { kind: "restore", id: gone.id };
      }
      case "moved": {
        const target = shelf.at(draw(5))!.workspace_id;
        return shelf.containers.findWorkspace(target) === undefined
          ? { kind: "document", id, change: { name: `Changed ${told}` } }
          : { kind: "move", id, workspace_id: target };
      }
      case "version":
        return { kind: "version", id };
      case "security":
        return { kind: "security", id, visible_to: draw(6) < 0.5 ? "everyone" : [someone] };
      case "container": {
        const container = draw(7) < 0.2 ? nextContainerId({ library, shelf }) : document.workspace_id;
        return { kind: "container", id: container, change: { name: `Matter ${told}` } };
      }
      case "group": {
        const group = draw(8) < 0.5 ? of(library.groups, 9)?.id : undefined;
        return { kind: "group", id: group ?? `GROUP_${told}`, change: { members: [someone] } };
      }
      case "user":
        return { kind: "user", id: someone, change: { name: `Name ${told}` } };
      default:
        return {
          kind: "document",
          id,
          change: { name: `Changed ${told}`, last_user: someone.toUpperCase() },
        };
    }
  }
}
