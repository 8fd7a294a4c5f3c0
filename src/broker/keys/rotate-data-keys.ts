import {
  type DataKeyRotation,
  nextRotationStep,
  nothingMet,
  type RotationTiming,
  rotationTiming,
} from "../../domain/data-key-rotation.ts";
import { type Milliseconds, seconds } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import type { KeyOwner } from "../../domain/sealed.ts";
import type { AuditNote, Clock, Log, WrappedDataKeys } from "../ports.ts";
import type { DataKeyring, KeyStore, OwnerKeyRecords } from "./ports.ts";
import { addCounts, BY_WORKER, type ResealPorts, resealPlaces } from "./reseal.ts";

export interface RotationPorts extends ResealPorts {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  readonly keyring: DataKeyring;
  readonly keys: KeyStore;
  /** Drops what this process knows of an owner's keys: what it knows may be from before the new one sealed. */
  readonly forgetKeys: (owner: KeyOwner) => void;
}

/** How long one job goes on: others wait for their turn. */
const WORK_MS: Milliseconds = seconds(4);

export type RotationAnswer =
  /** There is nothing to do now. */
  | "waits"
  /** There is more to do, after others had their turn. */
  | "goes_on"
  /** Another process is at it. */
  | "overtaken"
  | "ended";

/**
 * Adds the next data key of an owner; the workers do the rest. Answers the rotation that is under way where there is one.
 * @throws Problem("not_found") for an owner that has no keys
 */
export async function startRotation(
  { keyring, keys }: Pick<RotationPorts, "keyring" | "keys">,
  owner: KeyOwner,
  note: AuditNote,
): Promise<{ readonly rotation: DataKeyRotation; readonly started: boolean }> {
  for (;;) {
    const read = await keys.read(owner);
    if (read.keys === undefined) throw new Problem("not_found", { detail: "This owner has no data keys." });
    if (read.rotation !== undefined && read.rotation.phase !== "done")
      return { rotation: read.rotation, started: false };
    const added = keyring.add(owner, read.keys);
    const rotation: DataKeyRotation = {
      v: 1,
      owner,
      phase: "spreading",
      to: added.id,
      from: keyring.dataKeysOf(read.keys),
      startedAt: await keys.now(),
      startedBy: note.actor,
      promotedAt: undefined,
      endedAt: undefined,
      resealed: 0,
      passes: 0,
      pass: undefined,
      last: undefined,
    };
    const audited = { what: "added", key: added.id, note } as const;
    if (await keys.change(owner, read, { keys: added.keys, rotation, audited }))
      return { rotation, started: true };
  }
}

/**
 * Brings an owner's rotation on. Whoever is killed meanwhile is followed by another, from the last page that was noted; two at
 * once notice it at the next note, and one of them goes.
 */
export async function advanceRotation(
  ports: RotationPorts,
  owner: KeyOwner,
  { workMs = WORK_MS, timing = rotationTiming }: { workMs?: Milliseconds; timing?: RotationTiming } = {},
): Promise<RotationAnswer> {
  const endAt = ports.clock.monotonicMs() + workMs;
  ports.forgetKeys(owner);
  do {
    const read = await ports.keys.read(owner);
    const { keys, rotation } = read;
    // Without keys the owner was shredded: nothing is left to rotate.
    if (keys === undefined || rotation === undefined) return "ended";
    const now = await ports.keys.now();
    const step = nextRotationStep(rotation, now, timing);
    if (step.kind === "none") return "ended";
    if (step.kind === "wait") return "waits";
    const known = { ...read, keys, rotation };
    const changed =
      step.kind === "promote"
        ? await promote(ports, known, now)
        : step.kind === "retire"
          ? await retire(ports, known, now)
          : await pass(ports, known, now);
    if (!changed) return "overtaken";
  } while (ports.clock.monotonicMs() < endAt);
  return "goes_on";
}

/** Brings every rotation on. One that fails keeps no other from it. */
export async function advanceRotations(ports: RotationPorts): Promise<void> {
  for (const owner of await ports.keys.rotating()) {
    try {
      await advanceRotation(ports, owner);
    } catch (error) {
      const code = error instanceof Problem ? error.code : "internal_error";
      ports.log.warn({ code, detail: owner }, "a data key's rotation waits for the next try");
    }
  }
}

type Known = OwnerKeyRecords & { readonly keys: WrappedDataKeys; readonly rotation: DataKeyRotation };

async function promote(ports: RotationPorts, { keys, rotation, ...read }: Known, now: number) {
  const promoted = await ports.keys.change(
    rotation.owner,
    { ...read, keys, rotation },
    {
      keys: { ...keys, current: rotation.to },
      rotation: { ...rotation, phase: "resealing", promotedAt: now },
      audited: { what: "promoted", key: rotation.to, note: BY_WORKER },
    },
  );
  ports.forgetKeys(rotation.owner);
  return promoted;
}

async function retire(ports: RotationPorts, { keys, rotation, ...read }: Known, now: number) {
  const { from } = rotation;
  const wrapped = Object.fromEntries(Object.entries(keys.wrapped).filter(([id]) => !from.includes(id)));
  const retired = await ports.keys.change(
    rotation.owner,
    { ...read, keys, rotation },
    {
      keys: { ...keys, wrapped },
      rotation: { ...rotation, phase: "done", endedAt: now },
      audited: { what: "retired", key: from.join(" "), note: BY_WORKER },
    },
  );
  ports.forgetKeys(rotation.owner);
  if (retired)
    ports.log.info({ detail: rotation.owner, count: rotation.resealed }, "a data key has been rotated");
  return retired;
}

/** One page of a pass. */
async function pass(ports: RotationPorts, read: Known, now: number) {
  const { rotation } = read;
  const { owner, from, to } = rotation;
  const begun = rotation.pass;
  const page = await ports.sealed.find(owner, from, begun?.position);
  if (begun !== undefined && begun.store !== page.store) {
    // A Redis that was started anew: its cursors are others, and it may have forgotten.
    return ports.keys.change(owner, read, { rotation: { ...rotation, pass: undefined, last: undefined } });
  }
  const met = await resealPlaces(ports, page.places, to);
  const counts = addCounts(begun ?? nothingMet, met);
  const startedAt = begun?.startedAt ?? now;
  const resealed = rotation.resealed + met.resealed;
  return ports.keys.change(owner, read, {
    rotation:
      page.next === undefined
        ? {
            ...rotation,
            resealed,
            passes: rotation.passes + 1,
            pass: undefined,
            last: { ...counts, startedAt, endedAt: await ports.keys.now() },
          }
        : {
            ...rotation,
            resealed,
            pass: { ...counts, startedAt, position: page.next, store: page.store },
          },
  });
}
