import { LRUCache } from "lru-cache";
import type { z } from "zod";
import type { ApiOutcome, IdentityReader, UpstreamIdentity } from "../broker/authorization/ports.ts";
import type { LibraryAdministration, LibraryKind, LibraryReader } from "../broker/libraries/ports.ts";
import type { UpstreamUser } from "../domain/grant.ts";
import type { ServerId } from "../domain/id.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import type { CallPriority } from "../domain/server-gate.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { type ApiCallPorts, callApi, unavailable } from "./api-call.ts";
import {
  discoverySchema,
  groupsSchema,
  isPathSegment,
  librariesSchema,
  operationsSchema,
} from "./api-envelopes.ts";
import { apiRootOf } from "./api-root.ts";
import type { CallPlaces } from "./call-places.ts";
import { mapBounded } from "./map-bounded.ts";

const LIBRARIES_AT_ONCE = 4;
const ROOTS_KEPT = 10_000;

/** iManage's REST API, as far as it is used. Reads only. */
export class ImanageApi implements IdentityReader, LibraryReader {
  readonly #ports: ApiCallPorts;
  /** A root is the same for everyone at a server, and its origin is the server's: safe to remember, cheap to learn anew. */
  readonly #roots = new LRUCache<ServerId, string>({ max: ROOTS_KEPT });

  readonly #background: boolean;

  /** @param options.background Nobody waits for its answers: others go first at the server. */
  constructor(
    outbound: Outbound,
    options: {
      readonly now?: () => number;
      readonly deadlineMs?: Milliseconds;
      readonly places?: CallPlaces;
      readonly background?: boolean;
    } = {},
  ) {
    this.#ports = {
      outbound,
      now: options.now ?? Date.now,
      deadlineMs: options.deadlineMs ?? seconds(60),
      places: options.places,
    };
    this.#background = options.background ?? false;
  }

  /** `GET /api` (C): who the token speaks for, and whether it lives. */
  async whoAmI(server: Server, accessToken: Secret): Promise<ApiOutcome<UpstreamIdentity>> {
    const base = server.endpoints.apiBaseUrl.replace(/\/$/, "");
    const answer = await this.#read(server, discoverySchema, new URL(`${base}/api`), accessToken);
    if (answer.kind !== "ok") return answer;
    const { auth_status, user, versions, dms_version } = answer.value.data;
    // What a dead token gets is not documented: 401 with some servers, this with others (simulator switch).
    if (auth_status !== "authenticated") return { kind: "unauthorized" };
    if (user === undefined) return unavailable("not_imanage");

    const apiRoot = apiRootOf(server, versions);
    this.#roots.set(server.id, apiRoot);
    return {
      kind: "ok",
      value: {
        user: { customerId: user.customer_id, userId: user.id, name: user.name, email: user.email },
        apiRoot,
        dmsVersion: dms_version,
      },
    };
  }

  async listLibraries(
    server: Server,
    user: UpstreamUser,
    accessToken: Secret,
    only?: ReadonlySet<string>,
  ): Promise<ApiOutcome<readonly LibraryAdministration[]>> {
    const root = await this.#libraries(server, user.customerId, accessToken);
    if (root.kind !== "ok") return root;
    const listed = await this.#read(server, librariesSchema, new URL(root.value), accessToken);
    if (listed.kind !== "ok") return listed;

    const wanted = listed.value.data.filter(({ id }) => only?.has(id) ?? true);
    const looks = await mapBounded(wanted, LIBRARIES_AT_ONCE, (library) =>
      this.#administration(root.value, server, user, accessToken, library),
    );
    const libraries: LibraryAdministration[] = [];
    for (const look of looks) {
      // A list with gaps would read as "not your library", so one failure is the answer for all.
      if (look.kind !== "ok") return look;
      libraries.push(look.value);
    }
    return { kind: "ok", value: libraries };
  }

  /** By the same call that tells his groups: that an unknown user is a 404 is inferred (I). */
  async findUser(
    server: Server,
    user: UpstreamUser,
    library: string,
    accessToken: Secret,
  ): Promise<ApiOutcome<"there" | "unknown">> {
    if (![user.customerId, user.userId, library].every(isPathSegment))
      return unavailable("malformed_request");
    const root = await this.#libraries(server, user.customerId, accessToken);
    if (root.kind !== "ok") return root;
    const at = `${root.value}/${encodeURIComponent(library)}`;
    const answer = await this.#groupsOf(server, at, user.userId, accessToken);
    if (answer.kind === "ok") return { kind: "ok", value: "there" };
    const gone = answer.kind === "unavailable" && answer.reason === "status_404";
    return gone ? { kind: "ok", value: "unknown" } : answer;
  }

  async #administration(
    root: string,
    server: Server,
    user: UpstreamUser,
    accessToken: Secret,
    library: z.output<typeof librariesSchema>["data"][number],
  ): Promise<ApiOutcome<LibraryAdministration>> {
    const at = `${root}/${encodeURIComponent(library.id)}`;
    const bits = await this.#adminByOperations(server, at, accessToken);
    if (bits.kind !== "ok") return bits;
    const group = await this.#adminByGroup(server, at, user.userId, accessToken);
    if (group.kind !== "ok") return group;
    return {
      kind: "ok",
      value: {
        id: library.id,
        displayName: library.display_name,
        hidden: library.is_hidden,
        kind: kindOf(library.type),
        adminByOperations: bits.value,
        adminByGroup: group.value,
      },
    };
  }

  /** Reads a resource of one library; with a body, a search. `segments` are encoded here. */
  async readOf<T>(
    server: Server,
    accessToken: Secret,
    { customerId, library }: { readonly customerId: string; readonly library: string },
    segments: readonly string[],
    search: Readonly<Record<string, string | undefined>>,
    schema: z.ZodType<T>,
    body?: object,
  ): Promise<ApiOutcome<T>> {
    if (![customerId, library, ...segments].every(isPathSegment)) return unavailable("malformed_request");
    const root = await this.#libraries(server, customerId, accessToken);
    if (root.kind !== "ok") return root;
    const url = new URL([root.value, ...[library, ...segments].map(encodeURIComponent)].join("/"));
    for (const [name, value] of Object.entries(search)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return this.#read(server, schema, url, accessToken, body);
  }

  /** `…/operations` (C: the shape): the admin tool, or one of the three admin tiers. */
  async #adminByOperations(
    server: Server,
    library: string,
    accessToken: Secret,
  ): Promise<ApiOutcome<boolean>> {
    const answer = await this.#read(server, operationsSchema, new URL(`${library}/operations`), accessToken);
    if (answer.kind !== "ok") return orNotAllowed(answer);
    const { m2_bits, m4_bits } = answer.value.data;
    const tiers = [m4_bits?.admin_tier_1, m4_bits?.admin_tier_2, m4_bits?.admin_tier_3];
    return { kind: "ok", value: m2_bits?.use_admin_tool === true || tiers.includes(true) };
  }

  async #adminByGroup(
    server: Server,
    library: string,
    userId: string,
    accessToken: Secret,
  ): Promise<ApiOutcome<boolean>> {
    const answer = await this.#groupsOf(server, library, userId, accessToken);
    if (answer.kind !== "ok") return orNotAllowed(answer);
    return { kind: "ok", value: answer.value.some((id) => id.toUpperCase() === "NRTADMIN") };
  }

  /** `…/users/{id}/groups?alias=NRTADMIN` (C: the shape). The filter is asked for and not relied on. */
  async #groupsOf(
    server: Server,
    library: string,
    userId: string,
    accessToken: Secret,
  ): Promise<ApiOutcome<readonly string[]>> {
    const url = new URL(`${library}/users/${encodeURIComponent(userId)}/groups`);
    url.searchParams.set("alias", "NRTADMIN");
    const answer = await this.#read(server, groupsSchema, url, accessToken);
    return answer.kind === "ok" ? { kind: "ok", value: answer.value.data.map(({ id }) => id) } : answer;
  }

  async #libraries(server: Server, customerId: string, accessToken: Secret): Promise<ApiOutcome<string>> {
    let root = this.#roots.get(server.id);
    if (root === undefined) {
      const identity = await this.whoAmI(server, accessToken);
      if (identity.kind !== "ok") return identity;
      root = identity.value.apiRoot;
    }
    return { kind: "ok", value: `${root}/customers/${encodeURIComponent(customerId)}/libraries` };
  }

  async #read<T>(
    server: Server,
    schema: z.ZodType<T>,
    url: URL,
    accessToken: Secret,
    body?: object,
  ): Promise<ApiOutcome<T>> {
    const answer = await callApi(this.#ports, server, url, accessToken, this.#priorityOf(url), body);
    if (answer.kind !== "ok") return answer;
    const parsed = schema.safeParse(answer.value);
    return parsed.success ? { kind: "ok", value: parsed.data } : unavailable("not_imanage");
  }

  /** Whatever goes on from a cursor is long; what fits one page never waits behind it. */
  #priorityOf(url: URL): CallPriority {
    if (!this.#background) return "interactive";
    const long = url.searchParams.has("cursor") && !url.pathname.endsWith("/change-events");
    return long ? "scan" : "quick";
  }
}

function kindOf(type: string | undefined): LibraryKind {
  if (type === undefined || type.toLowerCase() === "worksite") return "ordinary";
  return /secur|polic/i.test(type) ? "security_policy" : "other";
}

/** Who may not even ask about a library does not administer it. */
const orNotAllowed = (answer: Exclude<ApiOutcome<unknown>, { kind: "ok" }>): ApiOutcome<boolean> =>
  answer.kind === "forbidden" || (answer.kind === "unavailable" && answer.reason === "status_404")
    ? { kind: "ok", value: false }
    : answer;
