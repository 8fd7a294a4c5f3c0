import type { SimulatorEvent } from "../../src/simulator/start-simulator.ts";
import type { BrokerProcess } from "./broker-process.ts";
import { type FailPoint, IN_THE_WINDOW, OF_A_GOOD_REFRESH } from "./fail-points.ts";
import type { JournalEntry } from "./invariants.ts";
import type { Seeded } from "./seeded.ts";
import type { World } from "./world.ts";

/** When a process is killed: at a point of its own story, or at something that iManage sees of it. Never by the clock. */
export type Moment = { readonly at: FailPoint } | { readonly on: "arrived" | "refreshed" | "answered" };

/** After iManage has rotated, and before the successor is stored: here a strict server costs the grant. */
export type Cost = "always" | "perhaps" | "never";

const costOf = (moment: Moment): Cost => {
  if ("at" in moment) return IN_THE_WINDOW.includes(moment.at) ? "always" : "never";
  return moment.on === "refreshed" ? "always" : "perhaps";
};

/** The last point told of by one whose request may have left, and whose answer is not stored. */
const MAY_HAVE_LEFT: readonly FailPoint[] = ["after-mark-sent", "answer-received", "after-seal"];

const MOMENTS: readonly Moment[] = [
  ...OF_A_GOOD_REFRESH.map((at) => ({ at })),
  { on: "arrived" },
  { on: "refreshed" },
  { on: "answered" },
];

export interface Kill {
  /** For the output of a run. */
  readonly told: string;
  /**
   * Resolves when the process is gone, and whatever it took along is in the journal, with what this costs the grant on a
   * strict server.
   */
  readonly done: Promise<Cost>;
}

export interface KillEntry extends JournalEntry {
  readonly costs: Cost;
}

/** Kills broker processes at moments drawn from a seed, and keeps the journal that explains what it cost. */
export class RandomKiller {
  readonly journal: KillEntry[] = [];
  readonly #seeded: Seeded;
  readonly #simulator: World["simulator"];
  readonly #hearing = new Set<Promise<void>>();

  constructor(world: Pick<World, "simulator">, seeded: Seeded) {
    this.#seeded = seeded;
    this.#simulator = world.simulator;
  }

  /**
   * Arranges the death of `victim` at a random moment of its next refresh of `grant`, which belongs to iManage's `user`.
   * Resolves when everything is arranged: then send the request that leads there.
   */
  async arrange(victim: BrokerProcess, of: { readonly grant: string; readonly user: string }): Promise<Kill> {
    const moment = this.#seeded.pick(MOMENTS);
    if ("at" in moment) await victim.failPoints.kill(moment.at, { grant: of.grant });
    else this.#killOn(moment.on, victim, of.user);
    const what = `its holder was killed ${tell(moment)}`;
    return { told: what, done: this.#note(victim, { grant: of.grant, what, costs: costOf(moment) }) };
  }

  /** What happened to a grant since `from`, a length of the journal that was read before. */
  since(from: number, grant: string): readonly KillEntry[] {
    return this.journal.slice(from).filter((entry) => entry.grant === grant);
  }

  /** Resolves when the journal holds everything of those that are dead by now. */
  async settled(): Promise<void> {
    await Promise.all(this.#hearing);
    this.#hearing.clear();
  }

  async #note(victim: BrokerProcess, entry: KillEntry): Promise<Cost> {
    const { failPoints } = victim;
    await victim.exited;
    const heard = failPoints.heardAll;
    this.#hearing.add(heard);
    await heard;
    const inFlight = failPoints.inFlight();
    // What iManage saw may have been somebody else's request for this grant: then the victim died over nothing.
    const own = inFlight.get(entry.grant);
    const noted =
      own !== undefined && MAY_HAVE_LEFT.includes(own) ? entry : { ...entry, costs: "never" as const };
    this.journal.push(noted);
    for (const [grant, point] of inFlight) {
      if (grant === entry.grant) continue;
      const costs = MAY_HAVE_LEFT.includes(point) ? "perhaps" : "never";
      this.journal.push({ grant, what: `its holder was killed over another grant, after ${point}`, costs });
    }
    return noted.costs;
  }

  /** Told as it happens, in the same step in which iManage acts: nothing can come in between. */
  #killOn(type: "arrived" | "refreshed" | "answered", victim: BrokerProcess, user: string): void {
    const of = (event: SimulatorEvent | undefined) =>
      event?.type === type &&
      event.user === user &&
      (type === "refreshed" || (event.route === "token" && event.grant_type === "refresh_token"));
    this.#simulator
      .waitFor((event) => {
        if (!of(event)) return false;
        victim.signal("SIGKILL");
        return true;
      }, 60_000)
      .catch(() => {});
  }
}

const tell = (moment: Moment): string =>
  "at" in moment
    ? `at ${moment.at}`
    : `when its request had ${moment.on === "refreshed" ? "rotated" : moment.on}`;
