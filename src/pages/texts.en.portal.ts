/** What the pages of the portal say: *My integrations*, and what surrounds it. Part of `en`. */
export const portal = {
  as: "You are here as",
  from: (application: string, organisation: string) => `from ${application}, for ${organisation}`,
  /** The id that the application knows him by, where it told no name. */
  unnamed: (id: string) => `person ${id}`,
  back: (application: string) => `Return to ${application}`,
  /** Beside the application's name, which whoever hears the page hears with it. */
  backShort: "Return",
  backWhere: (application: string) => `to ${application}`,
  notYou: "If this is not you, authorize nothing: close this window.",
  navigation: "Pages",
  backTo: (page: string) => `Back to ${page}`,
  leave: "Leave",
  left: {
    title: "You have left",
    body: "Nobody can go on here in your place. What you authorized stays as it is.",
    again:
      "To come back, open these pages from the application anew. At iManage itself you may still be signed in.",
  },
  close: "You can close this window.",
  goOn: "Go on where you were",
} as const;

export const myIntegrations = {
  title: "My integrations",
  lead: "The applications below work with iManage on your behalf, with what you authorized at iManage itself. You can take it back at any time.",
  backHere: "Back to My integrations",
  none: {
    title: "No iManage server",
    body: (application: string) => `${application} works with no iManage server of your organisation.`,
  },
  standing: {
    switched_off: (organisation: string) => ({
      title: "iManage is switched off here",
      body: `An administrator has switched iManage off for ${organisation}. No application gets anything from iManage meanwhile; what you authorized is kept, and you can take it back.`,
    }),
    not_a_member: (organisation: string) => ({
      title: "iManage is not enabled for you",
      body: `An administrator of ${organisation} has enabled iManage for some people only. Ask for it to be enabled for you. What you authorized before you can take back.`,
    }),
    not_allowed: (_organisation: string) => ({
      title: "Nothing can be authorized from here",
      body: "The application you came from may show you your authorizations, and ask for no new one.",
    }),
  },
  state: {
    none: "Not authorized",
    authorized: "Authorized",
    needs_you: "Sign in again",
    paused: "On hold",
  },
  notAuthorized: (application: string) => `${application} cannot work with this server on your behalf.`,
  needsYou: "iManage no longer accepts what you authorized. Sign in once more and everything goes on.",
  paused: "Nothing is asked of iManage for now. An operator is at it; you need do nothing.",
  signedInAs: "iManage user",
  since: "Since",
  lastUsed: "Last used",
  neverUsed: "not yet",
  renewBy: "Renew by",
  noEnd: "ends with the sign-in",
  authorize: "Authorize",
  again: "Sign in again",
  disconnect: "Disconnect",
  signInNote: (host: string) => `You sign in at ${host}. This site never sees your password.`,
  uses: "Who uses it",
  thisApplication: "the application you came from",
  unknownApplication: "An application that is no longer known here",
  library: (library: string) => `Background service of the library ${library}`,
  libraryLink: "Background service authorization",
  switchOff: "Switch off",
  connected: (server: string) => `${server} is authorized.`,
  disconnected: (server: string) => `${server} is disconnected.`,
} as const;

export const disconnectServer = {
  title: (server: string) => `Disconnect ${server}?`,
  lead: (application: string, server: string) =>
    `${application} stops working with ${server} on your behalf at once. To connect again, you sign in at iManage once more.`,
  button: "Disconnect",
  others: (applications: readonly string[]) => `Not touched: ${applications.join(", ")}.`,
  last: "Nothing else uses this authorization, so it is also ended at iManage.",
  cancel: "Keep it",
} as const;

export const switchOffApplication = {
  title: (application: string) => `Switch ${application} off?`,
  lead: (application: string, server: string) =>
    `${application} stops working with ${server} on your behalf at once. To switch it on again, connect from ${application} itself.`,
  button: "Switch off",
} as const;
