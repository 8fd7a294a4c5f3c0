/** What the operators' pages say. Part of `en`. */
export const operators = {
  title: "Operators",
  lead: "For those who run this broker, and for support. Your own identity provider says who you are.",
  signIn: "Sign in",
  signOut: "Sign out",
  signedOut:
    "You are signed out here. At your identity provider you may still be signed in: sign out there too if others use this computer.",
  leaving: "On to your identity provider",
  leavingTo: (host: string) => `You sign in at ${host}, and come back here.`,
  goOn: "Go on",
  as: "You are signed in as",
  role: { operator: "operator, every organisation", support: "support, for the organisations below" },
  at: { operator: "operator, at", support: "support, at" },
  all: "All organisations",
  settings: "iManage settings",
  none: "No organisation is named for you.",
  enabled: "iManage is enabled.",
  disabled: "iManage is switched off: no token is handed out, and every authorization is kept.",
  libraries: "Background service authorization",
} as const;
