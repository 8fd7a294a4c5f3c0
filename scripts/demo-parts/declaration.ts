import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { Sentence } from "./sentence.ts";

/** A configuration file, read as far as the demo must know it. `cli check` says what is wrong with it, not this. */
export class Declaration {
  readonly file: string;
  readonly #told: Told;

  constructor(file: string) {
    this.file = file;
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
      throw new Sentence(
        `${file} ${missing ? "does not exist" : "cannot be read"}: name a file like those in config/.`,
      );
    }
    let told: unknown;
    try {
      told = parse(text, { logLevel: "silent" });
    } catch {
      // `cli check` names the line.
    }
    this.#told = typeof told === "object" && told !== null ? (told as Told) : {};
  }

  /** iManage on this machine: the simulator. Nothing else here becomes reachable. */
  get loopbackOrigins(): readonly string[] {
    const urls = [
      ...list(this.#told.shared_registrations).map(({ address }) => address),
      ...this.#servers().flatMap(({ server }) => [
        server.address,
        server.authorization_url,
        server.token_url,
        server.endpoint_url,
      ]),
    ];
    const origins = urls
      .map((url) => (typeof url === "string" ? URL.parse(url) : null))
      .filter((url) => url !== null && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname))
      .map((url) => url!.origin);
    return [...new Set(origins)];
  }

  /** `organisation/server`, in the order of the file. */
  get serverNames(): readonly string[] {
    return this.#servers().map(({ organisation, server }) => `${organisation}/${server.name}`);
  }

  displayName(serverName: string): string {
    const found = this.#servers().find(
      ({ organisation, server }) => `${organisation}/${server.name}` === serverName,
    );
    return found?.server.display_name ?? serverName;
  }

  /** Each with a server that uses it, and where its secret is or will be. */
  registrations(secretIfUnnamed: (name: string) => string): readonly DeclaredRegistration[] {
    const own = this.#servers()
      .filter(({ server }) => server.registration?.shared === undefined)
      .map(({ organisation, server }) => ({
        server: `${organisation}/${server.name}`,
        told: server.registration ?? {},
        unnamed: `${organisation}-${server.name}`,
      }));
    const shared = list(this.#told.shared_registrations).flatMap((told) => {
      const user = this.#servers().find(({ server }) => server.registration?.shared === told.name);
      return user === undefined
        ? []
        : [{ server: `${user.organisation}/${user.server.name}`, told, unnamed: String(told.name) }];
    });
    return [...own, ...shared].map(({ server, told, unnamed }) => ({
      server,
      secretEnv: told.client_secret_env,
      secretFile:
        told.client_secret_env === undefined
          ? this.#path(told.client_secret_file ?? secretIfUnnamed(unnamed))
          : undefined,
    }));
  }

  /** The client that the demo's app may be, if the file has one. */
  clientThatReturnsTo(
    url: string,
  ): { readonly name: string; readonly secretFile: string | undefined } | undefined {
    const found = list(this.#told.clients).find(({ return_urls }) => list(return_urls).includes(url));
    if (found === undefined) return undefined;
    return {
      name: found.name,
      secretFile: found.secret_file === undefined ? undefined : this.#path(found.secret_file),
    };
  }

  hasClient(name: string): boolean {
    return list(this.#told.clients).some((client) => client.name === name);
  }

  /** Without clients, and without secrets that are not there yet: enough to know the redirect URL. */
  asFarAsRegistered(isThere: (file: string) => boolean): string {
    const { clients: _, ...told } = structuredClone(this.#told);
    for (const registration of registrationsIn(told)) {
      const { client_secret_file: file, client_secret_env: env } = registration;
      if (file !== undefined && isThere(this.#path(file))) registration.client_secret_file = this.#path(file);
      else delete registration.client_secret_file;
      if (env !== undefined && process.env[env] === undefined) delete registration.client_secret_env;
    }
    return stringify(told);
  }

  /** All of it, readable from another folder, with the demo's own client. */
  whole(secretIfUnnamed: (name: string) => string, client: DemoClient | undefined): string {
    const told = structuredClone(this.#told);
    const own = serversIn(told).filter(({ server }) => server.registration?.shared === undefined);
    for (const { organisation, server } of own)
      this.#nameSecret(server.registration ?? {}, secretIfUnnamed(`${organisation}-${server.name}`));
    for (const shared of list(told.shared_registrations))
      this.#nameSecret(shared, secretIfUnnamed(String(shared.name)));
    for (const each of list(told.clients))
      if (each.secret_file !== undefined) each.secret_file = this.#path(each.secret_file);
    if (client !== undefined) {
      const policies = list(told.organisations).map(({ name }) => ({
        organisation: name,
        actions: ["token", "status", "connect", "revoke", "sync", "configure"],
      }));
      told.clients = [
        ...list(told.clients),
        {
          name: client.name,
          display_name: "Matter tracker (demo)",
          return_urls: [client.returnUrl],
          secret_file: client.secretFile,
          policies,
        },
      ];
    }
    return stringify(told);
  }

  #nameSecret(registration: ToldRegistration, unnamed: string): void {
    if (registration.client_secret_env !== undefined) return;
    registration.client_secret_file = this.#path(registration.client_secret_file ?? unnamed);
  }

  #servers() {
    return serversIn(this.#told);
  }

  #path(file: string): string {
    return resolve(dirname(this.file), file);
  }
}

export interface DeclaredRegistration {
  /** `organisation/server` of one that uses it. */
  readonly server: string;
  readonly secretFile: string | undefined;
  readonly secretEnv: string | undefined;
}

export interface DemoClient {
  readonly name: string;
  readonly returnUrl: string;
  readonly secretFile: string;
}

interface ToldRegistration {
  name?: string;
  address?: string;
  shared?: string;
  client_secret_file?: string;
  client_secret_env?: string;
}
interface ToldServer {
  name: string;
  display_name?: string;
  address?: string;
  authorization_url?: string;
  token_url?: string;
  endpoint_url?: string;
  registration?: ToldRegistration;
}
interface Told {
  shared_registrations?: ToldRegistration[];
  organisations?: { name: string; servers?: ToldServer[] }[];
  clients?: {
    name: string;
    display_name?: string;
    return_urls?: string[];
    secret_file?: string;
    policies?: object[];
  }[];
}

/** What is no list is an empty one: `cli check` says so. */
const list = <T>(value: T[] | undefined): T[] =>
  Array.isArray(value) ? value.filter((each) => each !== null && each !== undefined) : [];

const serversIn = (told: Told) =>
  list(told.organisations).flatMap(({ name, servers }) =>
    list(servers).map((server) => ({ organisation: name, server })),
  );

const registrationsIn = (told: Told): ToldRegistration[] => [
  ...list(told.shared_registrations),
  ...serversIn(told).flatMap(({ server }) => server.registration ?? []),
];
