import { type AuditEntry, readLine } from "../../domain/audit-entry.ts";
import type { OrganisationId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Sealer } from "../ports.ts";
import { organisationOwner } from "../seal-contexts.ts";
import type { AuditBuffer } from "./ports.ts";
import type { AuditSight } from "./read-audit.ts";

export interface LookUpPorts {
  readonly sealer: Pick<Sealer, "fingerprint">;
  readonly audit: Pick<AuditBuffer, "read">;
}

/** Who was handed a token that somebody has found, in one organisation. */
export interface TokenTrace {
  readonly organisation: OrganisationId;
  readonly fingerprint: string;
  /** Each time it was handed out, oldest first, a few hundred at most. */
  readonly handedOut: readonly AuditEntry[];
  /** How many times in all. */
  readonly count: number;
  /** Of what was searched the oldest entry is of then; undefined: there was nothing to search. */
  readonly since: Instant | undefined;
}

const TOLD_MAX = 500;
const CHUNK = 1_000;

/** Searches what Redis still has of the audit. A token is never compared: its fingerprint is, which is another in each organisation. */
export async function lookUpToken(
  { sealer, audit }: LookUpPorts,
  token: Secret,
  organisation: OrganisationId,
  sees?: AuditSight,
): Promise<TokenTrace> {
  const found = new Found(organisation, await fingerprintOf(sealer, token, organisation), sees);
  for (let after = 0; ; ) {
    const entries = await audit.read(organisation, after, CHUNK);
    for (const entry of entries) found.look(entry);
    if (entries.length < CHUNK) return found.trace();
    after = entries.at(-1)!.sequence;
  }
}

/** The same in exported files, line by line. */
export async function lookUpInLines(
  { sealer }: Pick<LookUpPorts, "sealer">,
  token: Secret,
  organisations: readonly OrganisationId[],
  lines: AsyncIterable<string>,
): Promise<readonly TokenTrace[]> {
  const all = new Map(
    await Promise.all(
      organisations.map(
        async (id) => [id as string, new Found(id, await fingerprintOf(sealer, token, id))] as const,
      ),
    ),
  );
  for await (const text of lines) {
    const line = readLine(text);
    if (line.kind === "entry") all.get(line.journal)?.look(line.entry);
  }
  return [...all.values()].map((found) => found.trace());
}

/** An organisation that never prepared a key has sealed nothing, and handed nothing out. */
function fingerprintOf(
  sealer: Pick<Sealer, "fingerprint">,
  token: Secret,
  organisation: OrganisationId,
): Promise<string> {
  return sealer.fingerprint(organisationOwner(organisation), token).catch((error: unknown) => {
    if (error instanceof Problem && error.code === "integrity_failure") return "";
    throw error;
  });
}

class Found {
  readonly #organisation: OrganisationId;
  readonly #fingerprint: string;
  readonly #sees: AuditSight;
  /** By sequence: a line of an export may stand there twice. */
  readonly #sequences = new Set<number>();
  readonly #handedOut: AuditEntry[] = [];
  #since: Instant | undefined;

  constructor(organisation: OrganisationId, fingerprint: string, sees: AuditSight = () => true) {
    this.#organisation = organisation;
    this.#fingerprint = fingerprint;
    this.#sees = sees;
  }

  look(entry: AuditEntry): void {
    const { fields, sequence } = entry;
    this.#since ??= Number(fields.at);
    if (fields.token !== this.#fingerprint || this.#fingerprint === "" || this.#sequences.has(sequence))
      return;
    if (!this.#sees(fields)) return;
    this.#sequences.add(sequence);
    if (this.#handedOut.length < TOLD_MAX) this.#handedOut.push(entry);
  }

  trace(): TokenTrace {
    return {
      organisation: this.#organisation,
      fingerprint: this.#fingerprint,
      handedOut: this.#handedOut,
      count: this.#sequences.size,
      since: this.#since,
    };
  }
}
