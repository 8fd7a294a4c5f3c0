import type { CalendarLink, CalendarOwner, CalendarStore } from "../../src/broker/calendar/ports.ts";
import type { Instant } from "../../src/domain/instant.ts";

interface Kept {
  owner: CalendarOwner;
  link: CalendarLink;
  sequence: number;
  content: string | undefined;
  changedAt: Instant;
}

/** Holds what `CalendarStore` MUST, in memory; the rate excepted, which is proven on Redis. */
export class MemoryCalendarStore implements CalendarStore {
  readonly kept = new Map<string, Kept>();
  readonly #now: () => Instant;

  constructor(now: () => Instant) {
    this.#now = now;
  }

  #of(owner: CalendarOwner): [string, Kept] | undefined {
    return [...this.kept].find(([, { owner: his }]) => key(his) === key(owner));
  }

  findCalendar: CalendarStore["findCalendar"] = async (owner) => this.#of(owner)?.[1].link;

  putCalendar: CalendarStore["putCalendar"] = async (owner, digest, instead) => {
    const standing = this.#of(owner);
    if (standing?.[1].link.createdAt !== instead) return "another_stands";
    if (standing !== undefined) this.kept.delete(standing[0]);
    const link = { createdAt: this.#now(), fetchedAt: undefined };
    const sequence = standing?.[1].sequence ?? -1;
    this.kept.set(digest, { owner, link, sequence, content: undefined, changedAt: 0 });
    return "stored";
  };

  dropCalendar: CalendarStore["dropCalendar"] = async (owner) => {
    const standing = this.#of(owner);
    return standing !== undefined && this.kept.delete(standing[0]) ? "revoked" : "none";
  };

  fetchCalendar: CalendarStore["fetchCalendar"] = async (_route, digest) => {
    const kept = this.kept.get(digest);
    if (kept === undefined) return { kind: "unknown" };
    kept.link = { ...kept.link, fetchedAt: this.#now() };
    const { owner, content, sequence, changedAt } = kept;
    return {
      kind: "found",
      owner,
      told: content === undefined ? undefined : { content, sequence, changedAt },
    };
  };

  noteContent: CalendarStore["noteContent"] = async (_route, digest, content) => {
    const kept = this.kept.get(digest);
    if (kept === undefined) return undefined;
    if (kept.content !== content)
      Object.assign(kept, { content, sequence: kept.sequence + 1, changedAt: this.#now() });
    return { sequence: kept.sequence, changedAt: kept.changedAt };
  };
}

const key = ({ server, customerId, userId }: CalendarOwner): string =>
  [server, customerId, userId.toLowerCase()].join(" ");
