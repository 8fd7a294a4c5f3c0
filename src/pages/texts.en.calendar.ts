/** The section *Reminders*, the page that shows a calendar link once, and the entries of the calendar. */
const libraries = (count: number): string => (count === 1 ? "1 library" : `${count} libraries`);

export const reminders = {
  title: "Reminders",
  explain:
    "Subscribe to a calendar of the authorizations that you have lent at this server: when to renew each, and its last day. It follows what is true here; you subscribe once.",
  create: "Create a calendar link",
  since: "Link created",
  lastFetched: "Last fetched",
  neverFetched: "not yet",
  shownOnce: "The link itself was shown once. If it is lost, or somebody else may have it, replace it.",
  replace: "Replace the link",
  revoke: "Revoke the link",
  atOnce: "Both end the present link at once: a calendar that still uses it hears nothing any more.",
} as const;

export const calendarLink = {
  title: "Your calendar link",
  lead: "Copy it now: it is shown this once.",
  label: "Calendar link",
  hint: "Whoever has it can read which libraries you have lent and when to renew. It opens nothing else. Do not pass it on.",
  open: "Open in a calendar on this device",
  how: "Where to paste it",
  ways: [
    ["Outlook", "*Add calendar*, then *Subscribe from web*"],
    ["Apple Calendar", "*File*, then *New Calendar Subscription*"],
    ["Google Calendar", "*Other calendars*, then *From URL*"],
  ] as readonly (readonly [string, string])[],
  notes: (host: string) =>
    `Your calendar, or the service behind it, fetches the link by itself and must be able to reach ${host}. Some calendars look only once a day, and many leave out the alerts of a calendar that is subscribed to; the entries are there all the same.`,
  back: "Back to Background service authorization",
} as const;

export const calendarFile = {
  name: (server: string) => `iManage authorizations: ${server}`,
  renew: (count: number) => `Renew: iManage authorization for ${libraries(count)}`,
  lastDay: (count: number) => `Last day to renew: iManage authorization for ${libraries(count)}`,
  ended: (count: number) => `Authorize again: iManage authorization for ${libraries(count)} has ended`,
  ends: (when: string) =>
    `It ends on ${when}. From then on the background service can no longer read the libraries below, and what depends on them stands still.`,
  endedSince:
    "iManage no longer accepts it. The background service cannot read the libraries below, and what depends on them stands still.",
  who: (owner: string) => `Who must act: ${owner}, or another library admin in his place.`,
  whatRenew: (page: string, button: string) =>
    `What to do: open ${page}, sign in with iManage and choose ${button} beside any of them. One sign-in renews all.`,
  list: (server: string, count: number) => `${server}, ${libraries(count)}:`,
  more: (count: number) => `and ${count} more`,
} as const;
