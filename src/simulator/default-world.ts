import type { Document } from "./documents.ts";
import { type Library, library } from "./libraries.ts";
import { registration } from "./registrations.ts";
import { user } from "./users.ts";
import type { World } from "./world.ts";

/**
 * A cloud origin with two customers. The same on every start: nothing here is random, so that a test may
 * name a document and find it.
 */
export function defaultWorld(): World {
  return {
    dms_version: "10.2.3812",
    customers: [
      { id: 5948, name: "Hart & Lowell LLP" },
      { id: 6021, name: "Brightwater Legal" },
    ],
    users: [
      person("amelia.hart", "Amelia Hart"),
      person("b.okafor", "Benedict Okafor"),
      person("clara.voss", "Clara Voss", "LITIGATION"),
      person("d.lindqvist", "Dag Lindqvist"),
      person("e.moreau", "Élise Moreau"),
      { ...person("locked.user", "Lachlan Locke"), locked: true },
      person("outside.counsel", "Oona Outside"),
      user({
        customer_id: 6021,
        id: "s.castellan",
        name: "Simone Castellan",
        email: "s.castellan@brightwater.example",
        password: "castellan",
        preferred_library: "BW_ACTIVE",
      }),
    ],
    registrations: [
      registration({
        name: "Token broker",
        description: "Background service and integrations",
        client_id: "token-broker",
        client_secrets: [{ value: "sim_secret_token-broker" }],
        publisher: "Example Legal Software",
        website: "https://vendor.example",
        contact_email: "support@vendor.example",
        redirect_urls: ["http://127.0.0.1:3000/callback"],
        allow_refresh_token: true,
        access: INSIDERS,
      }),
      registration({
        name: "Registered as the form comes",
        client_id: "no-refresh",
        client_secrets: [{ value: "sim_secret_no-refresh" }],
        redirect_urls: ["http://127.0.0.1:3000/callback"],
      }),
      registration({
        name: "Not enabled",
        client_id: "not-enabled",
        client_secrets: [{ value: "sim_secret_not-enabled" }],
        redirect_urls: ["http://127.0.0.1:3000/callback"],
        allow_refresh_token: true,
        enable_application: false,
      }),
    ],
    libraries: [
      seeded(
        library({
          customer_id: 5948,
          id: "ACTIVE",
          display_name: "Active matters",
          nrtadmin_group: ["amelia.hart", "b.okafor"],
          nrtadmin_role: ["amelia.hart", "b.okafor"],
        }),
        24,
        1001,
      ),
      seeded(
        library({
          customer_id: 5948,
          id: "LITIGATION",
          display_name: "Litigation",
          members: ["amelia.hart", "b.okafor", "clara.voss", "e.moreau"],
          // b.okafor has the group without the role, clara.voss both.
          nrtadmin_group: ["b.okafor", "clara.voss"],
          nrtadmin_role: ["clara.voss"],
        }),
        16,
        2001,
      ),
      seeded(
        library({
          customer_id: 5948,
          id: "TEMPLATES",
          display_name: "Templates",
          is_hidden: true,
          nrtadmin_group: ["amelia.hart"],
          nrtadmin_role: ["amelia.hart"],
        }),
        3,
        3001,
      ),
      seeded(
        library({
          customer_id: 6021,
          id: "BW_ACTIVE",
          display_name: "Brightwater active",
          nrtadmin_group: ["s.castellan"],
          nrtadmin_role: ["s.castellan"],
        }),
        4,
        4001,
      ),
    ],
  };
}

/** Everybody but outside.counsel. */
const INSIDERS = [
  "amelia.hart",
  "b.okafor",
  "clara.voss",
  "d.lindqvist",
  "e.moreau",
  "locked.user",
  "s.castellan",
];

/** Passwords are the last part of the user id: hart, okafor, voss… */
const person = (id: string, name: string, preferred_library = "ACTIVE") =>
  user({
    customer_id: 5948,
    id,
    name,
    email: `${id}@hartlowell.example`,
    password: id.split(".").at(-1)!,
    preferred_library,
  });

const WORKSPACES = [
  { number: 11, name: "Northgate Holdings – Acquisition of Pell Ltd", custom1: "10042", custom2: "0007" },
  { number: 12, name: "Castor Shipping – Charter dispute", custom1: "10058", custom2: "0001" },
] as const;

const TITLES = [
  ["Share purchase agreement", "docx"],
  ["Disclosure letter", "docx"],
  ["Board minutes", "docx"],
  ["Completion checklist", "xlsx"],
  ["Witness statement", "docx"],
  ["Skeleton argument", "docx"],
  ["Exhibit bundle", "pdf"],
  ["Letter before action", "docx"],
] as const;

const AUTHORS = ["AMELIA.HART", "B.OKAFOR", "CLARA.VOSS", "E.MOREAU"] as const;

const FIRST_EDIT = Date.parse("2026-09-01T08:00:00.000Z");
const HOUR = 3_600_000;

function seeded(of: Library, count: number, firstNumber: number): Library {
  of.documents = Array.from({ length: count }, (_, index) => seedDocument(of, firstNumber + index, index));
  of.workspaces = WORKSPACES.map(({ number, ...fields }) => ({
    ...containerOf(of, number),
    ...fields,
    description: "",
    wstype: "workspace",
  }));
  of.folders = WORKSPACES.flatMap(({ number }) =>
    ["Agreements", "Correspondence"].map((name, i) => ({
      ...containerOf(of, number * 10 + 1 + i),
      name,
      parent_id: `${of.id}!${number}`,
      workspace_id: `${of.id}!${number}`,
      folder_type: "regular",
      wstype: "folder" as const,
    })),
  );
  of.change_events = of.documents.map((document, index) => ({
    id: index + 1,
    action_type: "insert",
    item_type: "document",
    object_id: document.id,
    related_object_id: null,
    root_id: document.workspace_id,
    event_date: document.edit_date,
  }));
  return of;
}

const containerOf = (of: Library, number: number) => ({
  id: `${of.id}!${number}`,
  database: of.id,
  owner: AUTHORS[0],
  create_date: new Date(FIRST_EDIT).toISOString(),
  edit_date: new Date(FIRST_EDIT).toISOString(),
  default_security: "public",
  visible_to: "everyone" as const,
});

function seedDocument(of: Library, number: number, index: number): Document {
  const workspace = WORKSPACES[index % WORKSPACES.length]!;
  const [title, extension] = TITLES[index % TITLES.length]!;
  const author = AUTHORS[index % AUTHORS.length]!;
  // Every seven hours, so that a day's window holds some documents and not all.
  const at = new Date(FIRST_EDIT + index * 7 * HOUR).toISOString();
  return {
    id: `${of.id}!${number}.1`,
    database: of.id,
    document_number: number,
    version: 1,
    name: `${title} ${1 + Math.floor(index / TITLES.length)}`,
    extension,
    size: 14_336 + index * 517,
    class: "DOC",
    author,
    operator: author,
    last_user: author,
    create_date: at,
    edit_date: at,
    edit_profile_date: at,
    file_edit_date: at,
    workspace_id: `${of.id}!${workspace.number}`,
    workspace_name: workspace.name,
    default_security: index % 5 === 4 ? "private" : "public",
    access: "full",
    iwl: `iwl:dms=simulator&&lib=${of.id}&&num=${number}&&ver=1`,
    wstype: "document",
    is_checked_out: index % 9 === 8,
    custom1: workspace.custom1,
    custom2: workspace.custom2,
    folder_id: `${of.id}!${workspace.number * 10 + 1 + (Math.floor(index / 2) % 2)}`,
    // What a library admin sees and an ordinary reader does not.
    visible_to: index % 5 === 4 ? [author.toLowerCase()] : "everyone",
  };
}
