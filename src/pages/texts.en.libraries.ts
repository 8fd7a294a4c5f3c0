import type { TroubleOwner } from "../domain/library-trouble.ts";

const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;
const isAre = (n: number): string => (n === 1 ? "is" : "are");

/** What *Background service authorization* says. Part of `en`. */
export const libraries = {
  title: "Background service authorization",
  titleOf: (server: string) => `Background service authorization, ${server}`,
  back: "Back to Background service authorization",
  lead: (server: string) =>
    `Libraries of ${server} whose background service works with the authorization of a library admin.`,
  explain: [
    "A background service, such as the one that keeps a checklist in step with iManage, reads a library with the authorization that one of its admins has lent it. So nobody has to start it by hand.",
    "Sign in with iManage to see the libraries for which you have *NRTADMIN* access, to authorize them, and to see how long each authorization lasts.",
  ],
  signIn: "Sign in with iManage",
  signInAgain: "Sign in with iManage again",
  signInNote: (host: string) => `You sign in at ${host}. This site never sees your password.`,
  /** Who came from an application that says who he is at iManage. */
  asserted: (application: string, person: string) =>
    `You came from ${application} as ${person}. Sign in at iManage as yourself: somebody else's sign-in is refused here.`,
  stranger: (application: string) =>
    `The iManage user who signed in here before is not the one that ${application} names. Nothing of his is shown. Sign in as yourself.`,
  signOut: "Sign out",
  signedInAs: "Signed in as",
  userId: "user id",
  /** By the word in `?notice=`. A map, since every object also has a `constructor`. */
  notices: new Map([
    ["signed-out", "You are signed out here. You may still be signed in to iManage itself."],
    ["session-over", "Your sign-in here is over. Nothing was changed. Sign in again to go on."],
  ]) as ReadonlyMap<string, string>,
  authorized: (library: string) => `${library} is authorized.`,
  authorizedMany: (n: number) => `${count(n, "library", "libraries")} ${isAre(n)} authorized.`,
  refusedMany: (n: number) =>
    `${count(n, "library", "libraries")} ${n === 1 ? "was" : "were"} not authorized:`,
  refused: {
    not_library_admin: "You have no NRTADMIN access to it.",
    upstream_user_changed: "Somebody else authorized it meanwhile; to take his place, replace the owner.",
  },
  withdrawn: (library: string) => `The authorization of ${library} is withdrawn.`,
  reading:
    "Reading your libraries at iManage. The first time this can take a while, since iManage is asked about your role in each one. They appear here by themselves.",
  counts: (all: number, authorized: number, attention: number) =>
    `${all === 1 ? "1 library" : `${all} libraries`} with NRTADMIN access: ${authorized} authorized${
      attention === 0 ? "" : `, ${attention} needing attention`
    }.`,
  times: "All times are UTC.",
  shown: (n: number, all: number) => `${n} of ${count(all, "library", "libraries")} shown.`,
  find: { label: "Find a library", hint: "By a part of its name or id.", button: "Find", clear: "Show all" },
  filters: {
    label: "Show",
    all: "All",
    unauthorized: "Unauthorized",
    authorized: "Authorized",
    needs_attention: "Needs attention",
    renew_soon: "Renew soon",
  },
  nothing: "No library fits. Show all of them, or look for another name.",
  groups: {
    ordinary: { title: "Libraries", explain: undefined },
    hidden: {
      title: "Hidden in iManage",
      explain:
        "iManage lists these libraries to you and marks them as hidden, so people do not meet them in iManage. Authorize one only if a background service is to read it.",
    },
    security_policy: {
      title: "Security policy library",
      explain:
        "By its type this library holds iManage's security policies and no matters. Background services have nothing to read in it: leave it alone unless somebody told you to authorize it.",
    },
    gone: {
      title: "Not listed by iManage any more",
      explain:
        "These were authorized and iManage does not list them any more: either the library was removed, or access to it was. Withdraw what is not needed.",
    },
  },
  everywhere: {
    affected: (n: number) =>
      `${count(n, "library", "libraries")} ${n === 1 ? "is" : "are"} affected; what to do is said here once.`,
  },
  seeAbove: "What to do is said above.",
  columns: {
    library: "Library",
    status: "Status",
    owner: "Authorized by",
    last: "Last refresh and sync",
    renewBy: "Renew by",
    usedBy: "Used by",
    action: "Action",
  },
  since: "since",
  lastRefresh: "Refresh",
  lastSync: "Sync",
  hiddenLibrary: "hidden in iManage",
  select: "Select",
  authorizeSelected: "Authorize selected",
  selectShown: (n: number) => `Select all ${n} shown`,
  selectNone: "Select none",
  details: "Details",
  status: {
    unauthorized: "Unauthorized",
    authorized: "Authorized",
    needs_attention: "Needs attention",
  },
  who: {
    library_admin: "Any admin of this library (NRTADMIN), on this page",
    imanage_admin: "An iManage administrator",
    organisation_admin: "An administrator of your organisation, under iManage settings",
    operator: "The operator of this service",
  } satisfies Record<TroubleOwner, string>,
  lastError: { refresh: "Last refresh failed", sync: "Last sync failed" },
  oneAdmin: "One admin left",
  renewSoon: "Renew soon",
  noEnd: "Ends with the sign-in",
  notUsed: "Nothing yet",
  uses: (n: number) => count(n, "application"),
  neverSynced: "not yet",
  authorize: "Authorize",
  authorizeAgain: "Authorize again",
  renew: "Renew",
  replace: "Replace the owner",
  withdraw: "Withdraw",
  you: "you",
  none: {
    title: "No library with NRTADMIN access",
    body: "iManage names no library of this server for which you have *NRTADMIN* access. Ask an iManage administrator for the role in the library. On the cloud a change of role takes up to eight hours; then sign out here and sign in again.",
  },
  failed: "The libraries cannot be shown now",
} as const;

/** One library, on a page of its own. */
export const library = {
  lead: (id: string, server: string) => `Library ${id} of ${server}.`,
  wrong: "What is wrong, and what to do",
  whatToDo: "What to do",
  who: "Who can act",
  sinceWhen: "Since",
  stops: "Applications get no tokens for this library until then.",
  goesOn: "Tokens that still live are served meanwhile.",
  state: "Authorization",
  facts: {
    server: "Server",
    id: "Library id",
    owner: "Authorized by",
    since: "Since",
    lastRefresh: "Last refresh",
    lastSync: "Last sync",
    renewBy: "Must be renewed by",
    checked: "Owner's role last checked",
    notChecked: "not yet",
  },
  lastError: {
    title: { refresh: "The last refresh failed", sync: "The last sync failed" },
    who: "Who can act",
    code: "Code",
    at: "When",
  },
  usedBy: {
    title: "What depends on it",
    none: "No application has a sync of this library yet.",
    lastToken: "last token",
    noSync: "no sync",
    sync: { active: "sync runs", paused: "sync is paused", parked: "sync waits for the authorization" },
    complete: "complete",
    never: "never complete so far",
  },
  rights: {
    title: "Your rights in this library",
    role: "NRTADMIN role (operations)",
    group: "NRTADMIN group",
    yes: "Yes",
    no: "No",
    explain:
      "iManage has NRTADMIN twice, as a role and as a group, each per library. The role decides what you may do there; the group is how iManage's own guides name its admins. Either opens this page.",
    role_without_group:
      "You have the role and are not in the group. That is enough here. An iManage administrator can add you to the NRTADMIN group of the library, so that both agree.",
    group_without_role:
      "You are in the group, and iManage's operations do not show the role. Either the role was taken away, or it has not arrived yet: on the cloud a change of role takes up to eight hours. A background service that works with your authorization may then see less than it should. Ask an iManage administrator for the role.",
    unknown: "iManage does not list this library to you.",
    none: "You have no NRTADMIN access to this library, so you cannot authorize it. What you lent you may withdraw.",
  },
  oneAdmin: {
    title: "Only one admin is left",
    body: "Only one person known here administers this library with an authorization that lives. If he leaves, nobody here can take his place at once. Ask a second library admin to sign in on this page.",
    nobody:
      "No person known here administers this library with an authorization that lives. Ask a library admin to sign in on this page.",
  },
  security_policy: "This is the security policy library: background services have nothing to read in it.",
  hidden: "Hidden in iManage.",
} as const;

export const authorizeLibrary = {
  title: (library: string) => `Authorize ${library}`,
  renewTitle: (library: string) => `Renew ${library}`,
  lead: (library: string, server: string) =>
    `The background service will read ${library} of ${server} with your iManage authorization, even while you are not signed in.`,
  lasts: (days: number) =>
    `It lasts up to ${days} days and can be withdrawn on this page at any time. It also ends when you lose NRTADMIN access, or your iManage account is closed.`,
  replaceTitle: (library: string) => `Replace the owner of ${library}`,
  replaces: (owner: string, library: string, server: string) =>
    `${library} of ${server} works with the authorization of ${owner}. Yours takes its place.`,
  replaceSteps: [
    "You sign in at iManage. Until then nothing changes: the present authorization goes on serving, and no request fails.",
    "Your own authorization is tried on this library first. If it does not work, the present one stays.",
    "From then on the library works with yours. What was handed out of the earlier one lives on for minutes, nearly to its end.",
    "Other libraries that the earlier owner authorized stay with him.",
  ],
  replaceButton: "Use my credentials & replace the owner",
  email: "E-mail id",
  emailHint: "Your own, as iManage knows it. You will sign in at iManage with it.",
  emailMissing: "Enter your e-mail id.",
  emailMismatch: (shown: string) =>
    `This is not the e-mail id of ${shown}, who is signed in here. Enter your own, or sign out and sign in as the other person.`,
  button: "Use my credentials & authorize",
  cancel: "Cancel",
  error: "Error",
  many: {
    title: (n: number) => `Authorize ${count(n, "library", "libraries")}`,
    lead: (n: number, server: string) =>
      `The background service will read ${n === 1 ? "this library" : `these ${n} libraries`} of ${server} with your iManage authorization, even while you are not signed in.${n === 1 ? "" : " One sign-in is for all of them; each can be withdrawn alone."}`,
    list: (n: number) => `${count(n, "library", "libraries")} to authorize`,
    replaces: "Authorized by somebody else",
    replacesHint:
      "These stay as they are unless you agree, owner by owner, to take the owner's place. Until your sign-in ends well the present authorization serves.",
    replace: (owner: string, n: number) =>
      `Replace the owner ${owner} in ${count(n, "library", "libraries")}`,
    notYours: "Left out: you have no NRTADMIN access",
    none: "No library is selected that you can authorize. Go back and select some, or agree to replace an owner.",
  },
  /** T11: two people, neither told more of the other than whoever knows him needs. */
  another: {
    title: (library: string) => `${library} is authorized by somebody else`,
    lead: "Nothing was changed. The authorization that is there goes on serving.",
    owner: "Authorized by",
    you: "You are",
    what: "To renew it, that person opens this page and signs in. To take his place, replace the owner: the page says first what happens.",
    replace: "Replace the owner",
  },
  /** Another signed in at iManage than the page's own person. */
  mismatch: { expected: "Signed in on the page", signedIn: "Signed in at iManage" },
} as const;

export const withdrawLibrary = {
  title: (library: string) => `Withdraw the authorization of ${library}?`,
  lead: (library: string, server: string) =>
    `The background service stops reading ${library} of ${server} at once, and stays stopped until a library admin authorizes it again.`,
  depends: (n: number) => `${count(n, "application")} ${n === 1 ? "depends" : "depend"} on it:`,
  dependsNone: "No application has a sync of this library now.",
  owner: (owner: string) => `It works with the authorization of ${owner}.`,
  last: "Other libraries are not touched. If this is the last use of that authorization, it is also ended at iManage.",
  button: "Withdraw the authorization",
  cancel: "Keep it",
} as const;
