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
  ops: {
    title: "Operations",
    queues: "Work queues",
    queuesLead: {
      acts: "Look, run failed jobs once more, remove them.",
      looks: "To look at: your role may not act there.",
    },
    readiness: "Readiness",
    readinessLead: "Every check of this process, with its reason and what to do.",
    metrics: "Metrics",
    metricsLead: "What a Prometheus reads.",
    notForSupport:
      "Queues, metrics and the checks' reasons are about every organisation, so they are shown to operators alone. What is yours is at",
  },
} as const;
