import { z } from "zod";
import type { ServerKind } from "../../domain/server.ts";
import type { Remark } from "./desired-configuration.ts";
import { type AddressRules, checkEndpointUrl, checkServerAddress } from "./server-address.ts";

/**
 * What fields of a configuration file say about one another. It reads an outline that forgives everything, so that
 * these faults are told together with those of single fields and not one round later.
 */

const text = z.string().optional().catch(undefined);
const list = <T extends z.ZodRawShape>(shape: T) =>
  z.array(z.object(shape).catch(() => z.object(shape).parse({}))).catch([]);

const server = {
  name: text,
  kind: text,
  address: text,
  authorization_url: text,
  token_url: text,
  endpoint_url: text,
  customer_id: z.union([z.string(), z.number()]).transform(String).optional().catch(undefined),
  registration: z.record(z.string(), z.unknown()).optional().catch(undefined),
};
const secret = { secret_file: text, secret_env: text };
const clientSecret = { client_secret_file: text, client_secret_env: text };

const outline = z.object({
  shared_registrations: list({ name: text, address: text, ...clientSecret }),
  organisations: list({ name: text, servers: list(server) }),
  clients: list({
    name: text,
    ...secret,
    policies: list({
      organisation: text,
      servers: z.array(z.unknown()).catch([]),
      rules: list({ servers: z.array(z.unknown()).catch([]) }),
    }),
  }),
});
type Outline = z.infer<typeof outline>;
type OutlinedServer = Outline["organisations"][number]["servers"][number];

/** The fields by which a server's address can be told, in the order in which they are believed. */
const ADDRESS_FIELDS = ["address", "authorization_url", "token_url", "endpoint_url"] as const;
const KINDS: readonly string[] = [
  "cloud",
  "cloud-subdomain",
  "hosted",
  "on-premises",
] satisfies readonly ServerKind[];
/** The one address of iManage that every firm shares. */
export const CLOUD = "https://cloudimanage.com";

/** Where a server is said to be, by whichever field says it. */
export function findServerAddress(
  told: { readonly kind?: string | undefined } & {
    readonly [F in (typeof ADDRESS_FIELDS)[number]]?: string | undefined;
  },
): string | undefined {
  const said = ADDRESS_FIELDS.map((field) => told[field]).find(
    (value) => value !== undefined && value !== "",
  );
  return said ?? (told.kind === "cloud" ? CLOUD : undefined);
}

export function findRelationFaults(value: unknown): Remark[] {
  const told = readOutline(value);
  return [
    ...duplicates(told),
    ...dangling(told),
    ...eachServer(told).flatMap(({ path, server }) => [
      ...addressFaults(path, server),
      ...registrationFaults(path, server, told),
    ]),
    ...claims(told),
    ...secretTwice(told),
  ];
}

/** What is allowed and yet worth a look. */
export function findWarnings(value: unknown, rules: AddressRules): Remark[] {
  const told = readOutline(value);
  return eachServer(told).flatMap(({ path, server }) => {
    const registration = server.registration ?? {};
    return [
      ...ADDRESS_FIELDS.flatMap((field) => {
        const said = server[field];
        if (said === undefined || said === "") return [];
        const urls = field === "authorization_url" || field === "token_url";
        const verdict = urls ? checkEndpointUrl(said, rules) : checkServerAddress(said, rules);
        return verdict.ok && verdict.warning !== undefined
          ? [{ path: [...path, field], message: verdict.warning }]
          : [];
      }),
      ...kindWarnings(path, server),
      ...(registration.shared !== undefined && server.customer_id === undefined
        ? [
            {
              path: [...path, "customer_id"],
              message:
                "is not given: until you enter it or confirm the first sign-in, nobody can be told from another firm's people on this shared registration",
            },
          ]
        : []),
      ...(typeof registration.client_id === "string" &&
      registration.client_secret_file === undefined &&
      registration.client_secret_env === undefined
        ? [
            {
              path: [...path, "registration"],
              message:
                "has no client secret yet: apply, register the application with `cli registration-sheet`, then add client_secret_file and apply again",
            },
          ]
        : []),
    ];
  });
}

function kindWarnings(path: Remark["path"], server: OutlinedServer): Remark[] {
  const host = hostOf(findServerAddress(server));
  if (host === undefined || host === "localhost" || /^(127\.|\[)/.test(host)) return [];
  const expected =
    host === "cloudimanage.com"
      ? "cloud"
      : host.endsWith(".cloudimanage.com")
        ? "cloud-subdomain"
        : host.endsWith(".imanage.work")
          ? "hosted"
          : "on-premises";
  return server.kind === undefined || server.kind === expected || !KINDS.includes(server.kind)
    ? []
    : [
        {
          path: [...path, "kind"],
          message: `does not look right: an address like this is usually ${expected}`,
        },
      ];
}

function addressFaults(path: Remark["path"], server: OutlinedServer): Remark[] {
  const first = findServerAddress(server);
  if (first === undefined) {
    return [
      {
        path: [...path, "address"],
        message: "is required, as iManage's address without a path, for example https://imanage.example.com",
      },
    ];
  }
  const origin = originOf(first);
  return ADDRESS_FIELDS.flatMap((field) => {
    const other = originOf(server[field]);
    return origin === undefined || other === undefined || other === origin
      ? []
      : [
          {
            path: [...path, field],
            message: `must have the same origin as the rest of the server, ${origin}: whoever signs in there gets tokens from there`,
          },
        ];
  });
}

function registrationFaults(path: Remark["path"], server: OutlinedServer, told: Outline): Remark[] {
  const { registration } = server;
  if (registration === undefined) return [];
  const at = (field: string) => [...path, "registration", field];
  const { shared, ...own } = registration;
  if (shared === undefined) {
    return own.client_id === undefined
      ? [{ path: at("client_id"), message: "is required, or shared with the name of a shared registration" }]
      : bothGiven(own, "client_secret", [...path, "registration"]);
  }
  const used = told.shared_registrations.find(({ name }) => name !== undefined && name === shared);
  const there = originOf(used?.address);
  const here = originOf(findServerAddress(server));
  return [
    ...Object.keys(own).map((field) => ({
      path: at(field),
      message: "does not go with shared: the shared registration has its own",
    })),
    ...(there !== undefined && here !== undefined && there !== here
      ? [
          {
            path: at("shared"),
            message: `is a registration at ${there}, but this server is at ${here}: its secret is never sent elsewhere. Give this server a registration of its own with the same client id`,
          },
        ]
      : []),
  ];
}

/** On a shared registration organisations are told apart by customer id alone (T10). */
function claims(told: Outline): Remark[] {
  const seen = new Map<string, string>();
  return eachServer(told).flatMap(({ path, organisation, server }) => {
    const origin = originOf(findServerAddress(server));
    if (origin === undefined || server.customer_id === undefined) return [];
    const shared = server.registration?.shared !== undefined;
    // Two firms may each have an own registration at one hosted server; inside one organisation it is a slip.
    const key = JSON.stringify([origin, server.customer_id, shared ? "" : organisation]);
    const earlier = seen.get(key);
    const name = `${organisation}/${server.name ?? "?"}`;
    if (earlier === undefined) {
      seen.set(key, name);
      return [];
    }
    return [
      {
        path: [...path, "customer_id"],
        message: `is claimed by ${earlier} already: ${origin} with this customer id belongs to one server record`,
      },
    ];
  });
}

function duplicates(told: Outline): Remark[] {
  return [
    ...namedTwice(["shared_registrations"], told.shared_registrations),
    ...namedTwice(["organisations"], told.organisations),
    ...told.organisations.flatMap(({ servers }, at) => namedTwice(["organisations", at, "servers"], servers)),
    ...namedTwice(["clients"], told.clients),
    ...told.clients.flatMap(({ policies }, at) =>
      repeated(policies.map(({ organisation }) => organisation)).map((i) => ({
        path: ["clients", at, "policies", i, "organisation"],
        message: "has a policy of this client already: one policy says everything",
      })),
    ),
  ];
}

const namedTwice = (
  path: Remark["path"],
  entries: readonly { readonly name?: string | undefined }[],
): Remark[] =>
  repeated(entries.map(({ name }) => name)).map((at) => ({
    path: [...path, at, "name"],
    message: "is used twice: a name belongs to one entry",
  }));

/** Places of values that stood before. */
const repeated = (values: readonly unknown[]): number[] =>
  values.flatMap((value, at) => (value !== undefined && values.indexOf(value) < at ? [at] : []));

function dangling(told: Outline): Remark[] {
  const shared = new Set(told.shared_registrations.map(({ name }) => name));
  const serversOf = (name: string) => {
    const entries = told.organisations.filter((entry) => entry.name === name);
    return entries.length === 0 ? undefined : entries.flatMap((entry) => entry.servers);
  };
  return [
    ...eachServer(told).flatMap(({ path, server }) => {
      const name = server.registration?.shared;
      return typeof name !== "string" || shared.has(name)
        ? []
        : [
            {
              path: [...path, "registration", "shared"],
              message: "names no registration under shared_registrations",
            },
          ];
    }),
    ...told.clients.flatMap((client, c) =>
      client.policies.flatMap((policy, p) => {
        const path = ["clients", c, "policies", p];
        if (policy.organisation === undefined) return [];
        const servers = serversOf(policy.organisation);
        if (servers === undefined) {
          return [{ path: [...path, "organisation"], message: "names no organisation of this file" }];
        }
        const named = [
          { at: [...path, "servers"], names: policy.servers },
          ...policy.rules.map((rule, r) => ({ at: [...path, "rules", r, "servers"], names: rule.servers })),
        ];
        return named.flatMap(({ at, names }) =>
          names.flatMap((name, i) =>
            typeof name !== "string" || servers.some((entry) => entry.name === name)
              ? []
              : [{ path: [...at, i], message: "names no server of this organisation" }],
          ),
        );
      }),
    ),
  ];
}

const secretTwice = (told: Outline): Remark[] => [
  ...told.shared_registrations.flatMap((entry, at) =>
    bothGiven(entry, "client_secret", ["shared_registrations", at]),
  ),
  ...told.clients.flatMap((entry, at) => bothGiven(entry, "secret", ["clients", at])),
];

const bothGiven = (entry: object, field: string, path: Remark["path"]): Remark[] => {
  const given = entry as Record<string, unknown>;
  return given[`${field}_file`] === undefined || given[`${field}_env`] === undefined
    ? []
    : [{ path: [...path, `${field}_env`], message: `does not go with ${field}_file: name one of the two` }];
};

const eachServer = (told: Outline) =>
  told.organisations.flatMap((organisation, o) =>
    organisation.servers.map((server, s) => ({
      path: ["organisations", o, "servers", s] as Remark["path"],
      organisation: organisation.name ?? `organisation ${o + 1}`,
      server,
    })),
  );

const readOutline = (value: unknown): Outline => outline.catch(() => outline.parse({})).parse(value);

const originOf = (address: string | undefined): string | undefined =>
  address === undefined || !URL.canParse(address) ? undefined : new URL(address).origin;

const hostOf = (address: string | undefined): string | undefined =>
  address === undefined || !URL.canParse(address) ? undefined : new URL(address).hostname;
