import type { Instant } from "./instant.ts";

/** Who can mend it. */
export type TroubleOwner =
  /** Somebody with NRTADMIN access to the library; the one who lent the authorisation is one of them. */
  "library_admin" | "imanage_admin" | "organisation_admin" | "operator";

interface TroubleKind {
  readonly who: TroubleOwner;
  /** Are tokens for the library refused meanwhile? */
  readonly stops: boolean;
  /** What is wrong. @param owner who lent the authorisation */
  readonly sentence: (owner: string) => string;
  /** What the one who can mend it does. */
  readonly action: string;
}

const kind = (
  who: TroubleOwner,
  stops: boolean,
  sentence: TroubleKind["sentence"],
  action: string,
): TroubleKind => ({ who, stops, sentence, action });

const AGAIN = "Any library admin opens this page and authorizes again with his own credentials.";

/**
 * Everything that can be wrong with a library's authorisation. A code is never reused. Where iManage answers two causes
 * alike, the sentence names both: what happened to an account is not ours to guess.
 */
export const LIBRARY_TROUBLES = {
  owner_blocked_or_signed_out: kind(
    "library_admin",
    true,
    (owner) =>
      `iManage knows the user ${owner} and no longer accepts his authorization: either the account is locked, or the authorization was withdrawn or replaced at iManage. iManage does not say which.`,
    `${AGAIN} Or an iManage administrator unlocks the account; then its owner authorizes again.`,
  ),
  owner_left: kind("library_admin", true, (owner) => `iManage no longer knows the user ${owner}.`, AGAIN),
  authorization_ended: kind(
    "library_admin",
    true,
    (owner) =>
      `iManage no longer accepts the authorization of ${owner}: either the account was locked or closed, or the authorization was withdrawn or replaced at iManage, or the application was disabled there. iManage does not say which.`,
    AGAIN,
  ),
  authorization_expired: kind(
    "library_admin",
    true,
    (owner) => `The authorization of ${owner} has reached its end (Refresh Token Expiry).`,
    AGAIN,
  ),
  refresh_switched_off: kind(
    "imanage_admin",
    true,
    (owner) => `iManage gave no refresh token, so the authorization of ${owner} ended with its sign-in.`,
    "In Control Center › Applications › the application › Authentication set Allow Refresh Token to Yes (Allow Token Refresh where it came as a package); then a library admin authorizes again.",
  ),
  client_secret_changed: kind(
    "organisation_admin",
    false,
    () => "iManage refuses our Client ID and Client Secret. The authorization itself is well.",
    "Enter the Client Secret that Control Center shows under iManage settings. Nobody needs to authorize again.",
  ),
  application_disabled: kind(
    "imanage_admin",
    false,
    () => "The application is not enabled at iManage.",
    "In Control Center › Applications › the application › Review set Enable Application to Yes. Nobody needs to authorize again unless this page then says so.",
  ),
  not_in_access: kind(
    "imanage_admin",
    true,
    (owner) => `iManage does not let ${owner} use the application.`,
    "In Control Center › Applications › the application › Access choose All Users, or add the user.",
  ),
  role_lost: kind(
    "library_admin",
    true,
    (owner) => `${owner} has no NRTADMIN access to the library any more.`,
    "Another library admin authorizes in his place; or an iManage administrator gives the role back, and it goes on by itself. On the cloud a change of role takes up to eight hours.",
  ),
  library_gone: kind(
    "library_admin",
    true,
    (owner) =>
      `iManage does not list this library to ${owner} any more: either it was removed, or access to it was.`,
    "If the library was removed, withdraw its authorization here. Otherwise another library admin authorizes it, or an iManage administrator gives access back.",
  ),
  imanage_unreachable: kind(
    "imanage_admin",
    false,
    () =>
      "iManage does not answer as it should. Tokens that still live are served, and it is tried again by itself.",
    "See whether iManage is up and reachable from here; the server's diagnosis says what is seen.",
  ),
  many_refused: kind(
    "imanage_admin",
    false,
    () => "iManage refuses many authorizations at once, so none of them is believed to be over.",
    "See whether the application was disabled, or iManage was restored from a backup.",
  ),
  paused: kind(
    "operator",
    true,
    () => "This authorization is paused by an operator.",
    "The operator of this service lifts it.",
  ),
} as const satisfies Record<string, TroubleKind>;

export type LibraryTroubleCode = keyof typeof LIBRARY_TROUBLES;

/** What is wrong with a library's authorisation, for whoever looks at it. */
export interface LibraryTrouble {
  readonly code: LibraryTroubleCode;
  /** Undefined where nobody saw it begin. */
  readonly since: Instant | undefined;
  readonly who: TroubleOwner;
  readonly sentence: string;
  readonly action: string;
  /** Tokens for the library are refused meanwhile. */
  readonly stops: boolean;
}

export function libraryTrouble(
  code: LibraryTroubleCode,
  since: Instant | undefined,
  owner: string,
): LibraryTrouble {
  const { who, stops, sentence, action } = LIBRARY_TROUBLES[code];
  return { code, since, who, stops, sentence: sentence(owner), action };
}
