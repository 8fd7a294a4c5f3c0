/** What the page of one authorization says. Part of `en`. */
export const timeline = {
  title: "What happened to this authorization",
  lead: (organisation: string) => `One person's authorization at ${organisation}, oldest first.`,
  open: "Its story",
  state: {
    active: "Works",
    suspect: "Is asked again",
    reauthorization_required: "Must be authorized again",
    paused: "Paused",
    revoked: "Revoked",
    gone: "Gone",
  },
  why: "Why",
  acts: {
    "resource-owner": "The person acts",
    operator: "The operator acts",
    client: "The application acts",
    time: "Nobody needs to act",
  },
  columns: { at: "When", what: "What", who: "Who" },
  nobody: "iManage, or time",
  none: "There is no record of it.",
};
