/** What *iManage settings* says, the pages for organisation admins. Part of `en`. */
export const settings = {
  title: "iManage settings",
  back: "Back to iManage settings",
  lead: (organisation: string) =>
    `Whether ${organisation} works with iManage, for whom, and with which servers.`,
  changed: "It is changed.",
  lookOnly: {
    title: "Support may look only",
    body: "As support you see these settings, check a server and take a support bundle along. What is changed, an operator or the organisation's own admin changes.",
  },
  access: {
    title: "Who may use iManage",
    everyone: "Enabled for everyone",
    some: "Enabled for some",
    off: "Switched off",
    members: (listed: number, claims: readonly string[]) =>
      [
        listed === 0 ? "" : listed === 1 ? "1 person who is listed" : `${listed} persons who are listed`,
        claims.length === 0 ? "" : `everybody of whom an application says ${claims.join(" or ")}`,
      ]
        .filter((part) => part !== "")
        .join(", and ") || "nobody",
    offNote: "No application gets anything from iManage. What people authorized is kept.",
    grants: (count: number) =>
      count === 0
        ? "Nobody has authorized yet."
        : count === 1
          ? "1 iManage user has authorized."
          : `${count} iManage users have authorized.`,
    change: "Change",
  },
  accessForm: {
    title: "Who may use iManage",
    lead: "This counts at once, for every application. Nobody's authorization is lost by it.",
    legend: "iManage is",
    everyone: "Enabled for all members of this organisation",
    some: "Enabled for the persons below",
    off: "Switched off",
    subjects: "Persons",
    subjectsHint: "One on each line, by the id by which the application names them.",
    claims: "Groups",
    claimsHint:
      "One on each line, as the application says it of its person: groups = imanage-users. Everybody of whom it says so may use iManage.",
    claimFault: (line: string) => `“${line}” is not of the form groups = imanage-users.`,
    nobody: "Name a person or a group, or switch iManage off.",
  },
  servers: {
    title: "iManage servers",
    none: "There is none yet.",
    add: "Add a server",
    open: "Registration and client secret",
    look: "Registration",
    libraries: "Background service authorization",
    address: "Address",
    kind: "Kind",
    kinds: {
      cloud: "iManage Cloud",
      "cloud-subdomain": "iManage Cloud, the firm's own subdomain",
      hosted: "Hosted",
      "on-premises": "On premises",
    },
    clientId: "Client ID",
    customerId: "Customer id",
    unknown: "not known yet",
    secret: "Client secret",
    secretShared: "kept by the operator",
    secretSince: (since: string) => `entered on ${since}`,
    secretUntil: (until: string) => `valid until ${until}`,
    secretNoEnd: "without an end",
    check: "Check this server",
    diagnosis: "Last check",
    undiagnosed: "none yet",
    verdicts: { good: "nothing is wrong", attention: "worth a look", failed: "something is wrong" },
    ready: "Ready",
    secretMissing: "The client secret is missing: nobody can authorize yet.",
    secretOver: "The client secret is over: nobody can authorize, and nothing is refreshed.",
    secretSoon: (when: string) => `The client secret ends ${when}.`,
    secretRefused:
      "iManage refuses our client secret: nobody can authorize, and nothing is refreshed. Enter the one that Control Center shows, or a new one.",
    attention: "Needs attention",
  },
  server: {
    title: (server: string) => `Registration of ${server}`,
    lead: "An iManage administrator registers this application at iManage, with exactly these values.",
    shared:
      "This server uses a registration that the operator keeps for many firms. Your Control Center shows none of its fields, so there is nothing to enter.",
    where: "Where",
    secretNote: "API Secret on older servers. Enter it on this page; it goes nowhere else.",
    expiresNote: "Or a date: then say the same on this page, so that it is known here too.",
    extensions: "Extensions",
    packages: {
      "control-center": "Upload package for Control Center",
      work: "Upload package for iManage Work",
    },
    notes: "Mind",
    secretTitle: "Client secret",
    secretLead: (since: string | undefined) =>
      since === undefined
        ? "None is entered yet."
        : `The newest was entered on ${since}. It stays valid beside the next one, so that nothing stops while you change it; the one before it goes.`,
    secret: "Client secret",
    secretHint: "As Control Center shows it once, when it is generated. Nobody can read it here again.",
    secretMissing: "Enter the client secret.",
    secretOdd: "This cannot be a client secret: it has blanks or line ends, or is too long.",
    expires: "Client Secret Expires",
    expiresHint: "Empty for never, or a date: 2027-06-30.",
    expiresFault: "This is not a date like 2027-06-30.",
    save: "Save the client secret",
  },
  newServer: {
    title: "Add an iManage server",
    lead: "The address cannot be changed later: another address is another server, at which everybody authorizes anew.",
    name: "Short name",
    nameHint: "Of lower-case letters, digits and hyphens. It cannot be changed later.",
    displayName: "Name",
    displayNameHint: "What people read.",
    kind: "Kind",
    address: "Address",
    addressHint: "Begins with https://, without a path: https://imanage.firm.example",
    clientId: "Client ID",
    clientIdHint:
      "*API Key* on older servers. What you will enter at iManage, or what it shows. Empty if the operator's default configuration is used.",
    shared: "Default configuration",
    sharedHint: "Its name, told by the operator. Empty for a registration of your own.",
    customerId: "Customer id",
    customerIdHint: "If you know it. The first sign-in tells it otherwise.",
    /** Where a fault names something that is no field of this form. */
    elsewhere: "It cannot be added so",
  },
  review: {
    title: "What will change",
    lead: "Nothing is changed yet.",
    now: "Now",
    after: "Then",
    none: "Nothing would change.",
    refused: "It cannot be done",
    warnings: "Mind",
    /** The plan's words for what it compares, as this page says them. */
    fields: new Map([
      ["enabled", "iManage enabled"],
      ["members", "Members"],
      ["display_name", "Name"],
      ["address", "Address"],
      ["kind", "Kind"],
      ["customer_id", "Customer id"],
      ["client_id", "Client ID"],
      ["client_secret", "Client secret"],
      ["client_secret_expires", "Client Secret Expires"],
    ]) as ReadonlyMap<string, string>,
    confirm: "Change it",
    back: "Back",
    otherwise: "Something has changed meanwhile, so look again.",
  },
  next: "Continue",
  cancel: "Cancel",
  error: "Error",
} as const;
