import { findRoute } from "../domain/id.ts";
import { PROBLEMS, type ProblemCode } from "../domain/problem-catalogue.ts";
import { redirectUriOf } from "../domain/registration.ts";
import type { Server } from "../domain/server.ts";
import type { PageSettings } from "./page-deps.ts";
import { en, type RemedyFacts } from "./texts.en.ts";

/** A problem as a person is told it. */
export interface Remedy {
  readonly code: ProblemCode;
  readonly title: string;
  readonly who: string;
  readonly action: string;
}

/** Who does what, in the words of the very screen on which it is done. Pure. */
export function remedyFor(code: ProblemCode, facts: RemedyFacts): Remedy {
  const { title, action, remedy } = PROBLEMS[code];
  const remedies: Partial<Record<ProblemCode, (facts: RemedyFacts) => { who: string; action: string }>> =
    en.problem.remedies;
  const told = remedies[code]?.(facts) ?? { who: en.problem.byRemedy[remedy], action };
  return { code, title, ...told };
}

export function remedyFacts(
  settings: PageSettings,
  server: Server | undefined,
  application?: string,
): RemedyFacts {
  return {
    application,
    registeredBy: server?.settings.registeredBy,
    shared: server !== undefined && findRoute(server.registration) === undefined,
    redirectUri: server && redirectUriOf(settings.publicBaseUrl, server.registration),
    support: settings.supportContact,
  };
}

/** `text` as a code of the catalogue. Not `in`: `constructor` is no code. */
export const parseProblemCode = (text: string): ProblemCode | undefined =>
  Object.hasOwn(PROBLEMS, text) ? (text as ProblemCode) : undefined;
