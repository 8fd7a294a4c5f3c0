import type { RecordMac } from "../broker/ports.ts";
import { Problem } from "../domain/problem.ts";

/** Called once for each text that is refused. */
export type TellAltered = (place: string, why: "unsealed" | "altered" | "closed") => void;

/** What was verified last is not verified again for as long as the same text is stored. */
const REMEMBERED_MAX = 5_000;
/** A sealed text begins with its MAC: of two texts of one place the beginnings are never alike. */
const MARK_LENGTH = 96;

/**
 * Records that are believed only if a broker wrote them where they are (T25). What is stored otherwise is no record: neither
 * read, nor overwritten by a change, nor taken over in silence.
 */
export class SealedRecords {
  readonly #mac: RecordMac;
  readonly #tell: TellAltered;
  readonly #verified = new Map<string, { readonly stored: string; readonly record: unknown }>();
  readonly #told = new Map<string, string>();

  constructor(mac: RecordMac, tell: TellAltered) {
    this.#mac = mac;
    this.#tell = tell;
  }

  /** The text to store at `place`. The same for the same record, until the root key changes. */
  seal(place: string, record: object | string): string {
    return this.#mac.seal(place, typeof record === "string" ? record : JSON.stringify(record));
  }

  /**
   * The record of a stored text, which nobody may change: it is handed to the next reader too.
   * @throws Problem("integrity_failure")
   */
  read<T>(place: string, stored: string | null | undefined, read: (stored: unknown) => T): T | undefined {
    if (stored === null || stored === undefined) return undefined;
    const known = this.#verified.get(place);
    if (known?.stored === stored) return known.record as T;
    const record = frozen(read(JSON.parse(this.open(place, stored))));
    remember(this.#verified, place, { stored, record });
    return record;
  }

  /** The text that was sealed for `place`. @throws Problem("integrity_failure") */
  open(place: string, stored: string): string {
    const text = this.#opened(place, stored);
    if (text === undefined) throw this.refused(place, stored);
    return text;
  }

  #opened(place: string, stored: string): string | undefined {
    try {
      return this.#mac.open(place, stored);
    } catch (error) {
      if (error instanceof Problem && error.code === "integrity_failure")
        throw new ClosedRecord(place, stored, error);
      throw error;
    }
  }

  /** Says it to the operators: others of its kind open, so it is this one and not the root keyset. */
  leftOut({ place, stored }: ClosedRecord): void {
    this.#say(place, stored, "closed");
  }

  /** The same of a name that leads to a record which does not bear it. */
  misled(place: string, id: string): AlteredRecord {
    return this.#altered(place, id, "altered");
  }

  /** Says that what `place` holds is not what a broker wrote there, to the operators in the log and as a problem. */
  refused(place: string, stored: string): AlteredRecord {
    const sealed = stored === "" || this.#mac.rootKeyOf(stored) !== undefined;
    return this.#altered(place, stored, sealed ? "altered" : "unsealed");
  }

  #altered(place: string, stored: string, why: keyof typeof REMEDY): AlteredRecord {
    this.#say(place, stored, why);
    return new AlteredRecord("integrity_failure", { detail: `${place} is ${why}: ${REMEDY[why]}` });
  }

  #say(place: string, stored: string, why: Parameters<TellAltered>[1]): void {
    if (this.#told.get(place) === stored) return;
    remember(this.#told, place, stored);
    this.#tell(place, why);
  }
}

/** Of one record, whereas a root key that is missing may close all of them. */
export class AlteredRecord extends Problem {}

/** Sealed under a root key that is not here: the keyset is another, or somebody wrote a name of a key into this record. */
export class ClosedRecord extends Problem {
  readonly place: string;
  readonly stored: string;

  constructor(place: string, stored: string, { details }: Problem) {
    super("integrity_failure", details);
    this.place = place;
    this.stored = stored;
  }
}

const REMEDY = {
  unsealed:
    "no broker of this version wrote it. Look at it; if it is yours, `cli records seal` takes it over.",
  altered: "it was changed, or moved, outside the broker. Restore it, and find out who can write to Redis.",
} as const;

/** What the vend script sees of a stored text, to be compared with what was read and verified; '' where nothing is stored. */
export const markOf = (stored: string | null | undefined): string => (stored ?? "").slice(0, MARK_LENGTH);

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > REMEMBERED_MAX) map.delete(map.keys().next().value!);
}

function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}
