import type { z } from "zod";
import { readPerson } from "../broker/people/read-person.ts";
import type { OrganisationId } from "../domain/id.ts";
import { Secret } from "../domain/secret.ts";
import type { Subject, UserSubject } from "../domain/subject.ts";
import type { RouteCall } from "./route.ts";
import type { person, subject } from "./schemas.ts";

type Call = Pick<RouteCall<unknown, unknown, unknown>, "deps" | "client" | "note">;

/** Of which person a request speaks, in this organisation. */
export const personOf = (
  { deps, client, note }: Call,
  told: z.infer<typeof person>,
  organisation: OrganisationId,
): Promise<UserSubject> =>
  readPerson(
    deps.people,
    told.type === "assertion" ? { type: told.type, token: new Secret(told.token) } : told,
    { client, organisation, requestId: note.requestId },
  );

export const subjectOf = async (
  call: Call,
  told: z.infer<typeof subject>,
  organisation: OrganisationId,
): Promise<Subject> => (told.type === "library" ? told : personOf(call, told, organisation));
