import { z } from "zod";
import type { AuthorizationRequest, PageSession, PendingCompletion } from "../broker/authorization/ports.ts";
import type { Shredding } from "../broker/keys/ports.ts";
import type { WrappedDataKeys } from "../broker/ports.ts";
import type { Client } from "../domain/client.ts";
import type { ConnectSession } from "../domain/connect-session.ts";
import type { Containment } from "../domain/containment.ts";
import type { DataKeyRotation } from "../domain/data-key-rotation.ts";
import type { Diagnosis } from "../domain/diagnosis.ts";
import type { EventSubscription } from "../domain/event-subscription.ts";
import type { ConnectSessionId } from "../domain/id.ts";
import { everyone } from "../domain/members.ts";
import type { OperatorSession } from "../domain/operator.ts";
import type { Organisation } from "../domain/organisation.ts";
import type { Policy, PolicyRule } from "../domain/policy.ts";
import type { PortalSession } from "../domain/portal-session.ts";
import { Problem } from "../domain/problem.ts";
import type { Registration } from "../domain/registration.ts";
import { defaultServerSettings, type Server } from "../domain/server.ts";

/**
 * Readers accept a record's version and the one before it; writers switch after rollout (design §2). A record that is
 * neither was written by a newer broker or by hand: it is refused, never guessed at.
 */
const READABLE = new Set([1]);
const versioned = z.looseObject({ v: z.number() });

function reader<T extends { readonly v: 1 }>(noun: string): (stored: unknown) => T {
  return (stored) => {
    const record = versioned.safeParse(stored);
    if (!record.success || !READABLE.has(record.data.v)) {
      throw new Problem("integrity_failure", {
        detail: `A stored ${noun} has no version that this broker reads.`,
      });
    }
    return record.data as unknown as T;
  };
}

const readStoredOrganisation = reader<Organisation>("organisation");
export const readOrganisation = (stored: unknown): Organisation => {
  const organisation = readStoredOrganisation(stored);
  return { ...organisation, members: organisation.members ?? everyone };
};
const readStoredServer = reader<Server>("server");
/** A setting that is younger than the record has its default. */
export const readServer = (stored: unknown): Server => {
  const server = readStoredServer(stored);
  return { ...server, settings: { ...defaultServerSettings, ...server.settings } };
};
export const readRegistration = reader<Registration>("registration");
export const readClient = reader<Client>("client");
const readStoredPolicy = reader<
  Omit<Policy, "rules"> & Partial<Pick<Policy, "rules">> & Partial<Pick<PolicyRule, "servers" | "actions">>
>("policy");
/** A policy from before there were rules is one rule, for every user and library. */
export const readPolicy = (stored: unknown): Policy => {
  const { servers, actions, rules, ...policy } = readStoredPolicy(stored);
  if (rules !== undefined) return { ...policy, rules };
  return { ...policy, rules: [{ servers, users: "all", libraries: "all", actions: actions ?? [] }] };
};
export const readSubscription = reader<EventSubscription>("subscription");
export const readContainment = reader<Containment>("containment");
export const readConnectSession = reader<ConnectSession>("connect session");
export const readConnectStart = reader<{ readonly v: 1; readonly session: ConnectSessionId }>(
  "connect start link",
);
export const readAuthorizationRequest = reader<AuthorizationRequest>("authorization request");
export const readPendingCompletion = reader<PendingCompletion>("pending completion");
export const readPageSession = reader<PageSession>("page session");
export const readPortalSession = reader<PortalSession>("portal session");
export const readDiagnosis = reader<Diagnosis>("diagnosis");
export const readDataKeys = reader<WrappedDataKeys>("data key record");

export const readShredding = reader<Shredding>("tombstone");
export const readDataKeyRotation = reader<DataKeyRotation>("data key rotation");

export const readOperatorSession = reader<OperatorSession>("operator session");

export const optional =
  <T>(read: (stored: unknown) => T) =>
  (stored: unknown): T | undefined =>
    stored === undefined || stored === null ? undefined : read(stored);
