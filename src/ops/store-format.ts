import { fitOf, STORE_FORMAT, type StoreMark } from "../domain/store-format.ts";
import type { Finding } from "./finding.ts";

/** Judges whether this version may work on a store. Pure. Records of a format that it does not read would be refused one by one. */
export function judgeStoreFormat(mark: StoreMark | undefined, reads: number = STORE_FORMAT): Finding {
  const check = "store-format";
  const fine = (sentence: string): Finding => ({ check, ok: true, severity: "warn", sentence });
  const refuse = (sentence: string, remedy: string): Finding => ({
    ...{ check, ok: false, severity: "refuse", sentence, remedy },
  });
  switch (fitOf(mark, reads)) {
    case "unmarked":
      return fine("The store is not marked yet; the first process marks it.");
    case "same":
      return fine(`Records are of format ${reads}, which this version writes.`);
    case "older":
      return fine(
        `Records are of format ${mark?.format}, which this version reads. Once every process is of this version, \`cli records migrate\`.`,
      );
    case "newer":
      return refuse(
        `Version ${mark?.by} marked this store's records as format ${mark?.format}; this version reads ${reads} and older.`,
        `The operator starts version ${mark?.by} or a newer one here, or restores a backup from before the migration. Nothing is lost meanwhile.`,
      );
    case "too_old":
      return refuse(
        `This store's records are of format ${mark?.format}; this version reads ${reads - 1} and ${reads}.`,
        "The operator first runs the version in between, and there `cli records migrate`.",
      );
  }
}
