import { describe, expect, it } from "vitest";
import type { Grant } from "../../src/domain/grant.ts";
import { days, minutes } from "../../src/domain/instant.ts";
import { judgeLibrary, type LibrarySeen } from "../../src/domain/judge-library.ts";
import type { LibraryStanding } from "../../src/domain/library-standing.ts";
import { LIBRARY_TROUBLES, type LibraryTroubleCode } from "../../src/domain/library-trouble.ts";

const NOW = days(1_000);
const grant = {
  state: "active",
  refreshable: true,
  lastProblem: undefined,
  refreshTokenExpiresAt: NOW + days(100),
  accessTokenExpiresAt: NOW + minutes(20),
} as const satisfies LibrarySeen["grant"];
const ended = {
  ...grant,
  state: "reauthorization_required",
  lastProblem: { code: "reauthorization_required", at: NOW - days(2) },
} as const;
const standing: LibraryStanding = {
  triedAt: NOW,
  checkedAt: NOW,
  dueAt: NOW + 1,
  fault: undefined,
  since: undefined,
  believedAt: undefined,
  account: undefined,
};
const fault = (of: "role_lost" | "library_gone" | "not_in_access") => ({
  ...standing,
  fault: of,
  since: NOW - days(3),
  believedAt: NOW - days(2),
});
const seen = (
  change: Partial<Omit<LibrarySeen, "grant">> & { grant?: Partial<Grant> | undefined } = {},
): LibrarySeen => ({
  now: NOW,
  owner: "Amelia Hart",
  gate: undefined,
  causes: [],
  standing: undefined,
  ...change,
  grant: "grant" in change ? change.grant && { ...grant, ...change.grant } : grant,
});
const gate = (why: "incident" | "misconfigured" | "upstream") => ({ why, since: NOW - days(4) });

const ROWS: readonly [string, LibrarySeen, LibraryTroubleCode | undefined, number | undefined][] = [
  ["all is well", seen(), undefined, undefined],
  ["suspect, and still served", seen({ grant: { state: "suspect" } }), undefined, undefined],
  [
    "bad news that was seen once",
    seen({ standing: { ...standing, fault: "role_lost", since: NOW } }),
    undefined,
    undefined,
  ],
  ["the role is lost", seen({ standing: fault("role_lost") }), "role_lost", 3],
  ["the library is not listed", seen({ standing: fault("library_gone") }), "library_gone", 3],
  ["the API answers 403", seen({ standing: fault("not_in_access") }), "not_in_access", 3],
  ["the grant is gone", seen({ grant: undefined }), "authorization_ended", undefined],
  ["iManage ended it, and says no more", seen({ grant: ended }), "authorization_ended", 2],
  [
    "… though the owner had lost his role before",
    seen({ grant: ended, standing: fault("role_lost") }),
    "authorization_ended",
    2,
  ],
  [
    "… and does not know the user",
    seen({ grant: ended, standing: { ...standing, account: "unknown" } }),
    "owner_left",
    2,
  ],
  [
    "… and knows the user",
    seen({ grant: ended, standing: { ...standing, account: "there" } }),
    "owner_blocked_or_signed_out",
    2,
  ],
  [
    "… after its known end",
    seen({ grant: { ...ended, refreshTokenExpiresAt: NOW - 1 } }),
    "authorization_expired",
    2,
  ],
  [
    "… and the application is not enabled",
    seen({ grant: ended, causes: ["application.not_enabled"] }),
    "application_disabled",
    2,
  ],
  ["paused", seen({ grant: { state: "paused" } }), "paused", undefined],
  [
    "no refresh token, and the sign-in is over",
    seen({ grant: { refreshable: false, accessTokenExpiresAt: NOW - days(5) } }),
    "refresh_switched_off",
    5,
  ],
  ["no refresh token, and it lives", seen({ grant: { refreshable: false } }), undefined, undefined],
  ["the secret is refused", seen({ gate: gate("misconfigured") }), "client_secret_changed", 4],
  [
    "the secret is refused, and the diagnosis saw why",
    seen({ gate: gate("misconfigured"), causes: ["application.not_enabled"] }),
    "application_disabled",
    4,
  ],
  ["everyone is refused", seen({ gate: gate("incident") }), "many_refused", 4],
  ["iManage is away", seen({ gate: gate("upstream") }), "imanage_unreachable", 4],
  [
    "the role is lost while iManage is away",
    seen({ gate: gate("upstream"), standing: fault("role_lost") }),
    "role_lost",
    3,
  ],
];

describe("what is wrong with a library", () => {
  it.each(ROWS)("%s", (_, given, code, daysAgo) => {
    const trouble = judgeLibrary(given);
    expect(trouble?.code).toBe(code);
    expect(trouble?.since).toBe(daysAgo === undefined ? undefined : NOW - days(daysAgo));
  });

  it("has a row for each code", () => {
    expect(new Set(ROWS.flatMap(([, , code]) => code ?? []))).toEqual(new Set(Object.keys(LIBRARY_TROUBLES)));
  });

  it.each(Object.entries(LIBRARY_TROUBLES))("%s is said in sentences", (code, { sentence, action }) => {
    expect(code).toMatch(/^[a-z_]+$/);
    for (const text of [sentence("Amelia Hart"), action]) expect(text).toMatch(/^[A-Z].*\.$|^iManage .*\.$/);
  });

  it("does not choose between causes that iManage answers alike", () => {
    for (const given of [
      seen({ grant: ended }),
      seen({ grant: ended, standing: { ...standing, account: "there" } }),
    ]) {
      expect(judgeLibrary(given)?.sentence).toMatch(/: either .* or .*\. iManage does not say which\.$/);
    }
  });
});
