import type { DataKeyStore, Sealer } from "../broker/ports.ts";
import { Problem } from "../domain/problem.ts";
import type { KeyOwner } from "../domain/sealed.ts";
import { Secret } from "../domain/secret.ts";
import type { Finding } from "./finding.ts";

/** Whose data keys this process could open, and whose not. */
export interface KeyFacts {
  readonly opened: number;
  /** Names of owners whose keys did not open, for an operator to recognise. */
  readonly closed: readonly string[];
}

const NAMES_TOLD = 5;

/**
 * Judges whether the root keyset of this process opens what the store holds. Pure. With another keyset every refresh would
 * fail and every new sign-in would be sealed apart from the rest, so a process that opens nothing does not start.
 */
export function judgeKeyAccess({ opened, closed }: KeyFacts): Finding {
  const check = "key-access";
  if (closed.length === 0) {
    const sentence =
      opened === 0
        ? "No data key is stored yet."
        : `The root keyset opens the data keys (${opened} looked at).`;
    return { check, ok: true, severity: "warn", sentence };
  }
  const told = closed.slice(0, NAMES_TOLD).join(", ");
  const rest = closed.length > NAMES_TOLD ? ` and ${closed.length - NAMES_TOLD} more` : "";
  const remedy = "Give this process the root keyset (ROOT_KEYSET_FILE) with which they were made.";
  return opened === 0
    ? {
        check,
        ok: false,
        severity: "refuse",
        sentence: `The root keyset opens none of the data keys that this Redis holds (${told}${rest}).`,
        remedy,
      }
    : {
        check,
        ok: false,
        severity: "warn",
        sentence: `The root keyset does not open the data keys of ${told}${rest}: their authorizations cannot be used.`,
        remedy: `${remedy} If their root key was destroyed on purpose, delete the organisation.`,
      };
}

/** Enough to see a wrong keyset; with more firms the rest is met at their first use. */
const OWNERS_LOOKED_AT = 200;

/**
 * Opens one data key of each organisation. One that has none yet counts as neither.
 * @throws Problem("store_unavailable")
 */
export async function readKeyFacts(parts: {
  readonly organisations: () => Promise<readonly { readonly name: string; readonly owner: KeyOwner }[]>;
  readonly dataKeys: Pick<DataKeyStore, "find">;
  readonly sealer: Pick<Sealer, "fingerprint">;
}): Promise<KeyFacts> {
  const closed: string[] = [];
  let opened = 0;
  for (const { name, owner } of (await parts.organisations()).slice(0, OWNERS_LOOKED_AT)) {
    try {
      await parts.sealer.fingerprint(owner, PROBE);
      opened += 1;
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "integrity_failure") throw error;
      if ((await parts.dataKeys.find(owner)) !== undefined) closed.push(name);
    }
  }
  return { opened, closed };
}

const PROBE = new Secret("key-access");

/** What reading the root keyset once more brought. */
export type RootKeysetSeen =
  | { readonly opened: true; readonly sameKeys: boolean }
  /** A sentence, without anything secret. */
  | { readonly opened: false; readonly why: string };

/**
 * Judges whether this process could start again. Pure. It holds its keys already, so it is only a warning; the next restart
 * would be the end of it.
 */
export function judgeRootKeyset(seen: RootKeysetSeen): Finding {
  const check = "root-keyset";
  if (!seen.opened)
    return {
      check,
      ok: false,
      severity: "warn",
      sentence: `This process holds its root keys, and one that starts now would not get them. ${seen.why}`,
      remedy: "Mend it before anything is restarted.",
    };
  return seen.sameKeys
    ? { check, ok: true, severity: "warn", sentence: "The root keyset can be read and opened." }
    : {
        check,
        ok: false,
        severity: "warn",
        sentence: "The root keyset has other keys than this process has read.",
        remedy: "Restart this process: what others seal with a new key it cannot open.",
      };
}
