import { beforeEach, expect, onTestFinished, test } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { ImanageObjects } from "../../src/imanage/imanage-objects.ts";
import { type Simulator, startSimulator } from "../../src/simulator/start-simulator.ts";
import type { ObjectName } from "../../src/sync/object-source.ts";
import { clientsOf } from "./kit.ts";

const OF = { customerId: "5948", library: "ACTIVE" };
const AT = "/work/api/v2/customers/5948/libraries/ACTIVE/";

let simulator: Simulator;
let read: (item: ObjectName["item"], id: string, root?: string) => ReturnType<ImanageObjects["readObject"]>;

beforeEach(async () => {
  simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const { api, server } = clientsOf(simulator.origin);
  const objects = new ImanageObjects(api);
  const { access_token } = simulator.issueTokens({ client_id: "token-broker", user: "amelia.hart" });
  const token = new Secret(access_token);
  read = (item, id, root) => objects.readObject(server, token, { ...OF, item, id, root });
});

const asked = () =>
  simulator
    .requests()
    .filter(({ path }) => path.startsWith(AT))
    .map(({ path }) => path.slice(AT.length));
const answer = (path: string, status: number, body: string | Record<string, unknown> = "") =>
  simulator.addFault({
    on: { route: "api", path_starts_with: `${AT}${path}` },
    times: "always",
    do: { answer: { status, body } },
  });
const NONE = { kind: "ok", value: undefined };

test("a container that is its own root is asked for as a workspace first, any other as a folder, and then as what else it may be", async () => {
  expect(await read("container", "ACTIVE!11", "ACTIVE!11")).toMatchObject({
    value: { type: "workspace", workspaceId: undefined, createdAt: expect.any(Number) },
  });
  expect(await read("container", "ACTIVE!111", "ACTIVE!11")).toMatchObject({
    value: { type: "folder", workspaceId: "ACTIVE!11", parentId: "ACTIVE!11" },
  });
  expect(await read("container", "ACTIVE!12")).toMatchObject({ value: { type: "workspace" } });
  expect(await read("container", "ACTIVE!999")).toEqual(NONE);
  const both = (id: string) => [`folders/${id}`, `workspaces/${id}`];
  expect(asked().map(decodeURIComponent)).toEqual([
    "workspaces/ACTIVE!11",
    "folders/ACTIVE!111",
    ...both("ACTIVE!12"),
    ...both("ACTIVE!999"),
  ]);
});

test("an iManage that has no users or groups by id shows none of them, and is not taken for one that fails", async () => {
  simulator.setSwitches({ missing_resources: ["users/:user", "groups/:group"] });
  expect(await read("user", "clara.voss")).toEqual(NONE);
  expect(await read("group", "EVERYONE")).toEqual(NONE);
  simulator.setSwitches({ missing_resources: null });
  expect(await read("user", "clara.voss")).toMatchObject({ value: { name: "Clara Voss", allowLogon: true } });
  expect(await read("group", "EVERYONE")).toMatchObject({ value: { name: "Everyone", external: false } });
});

test.each([400, 403, 404, 405, 410, 501])("%i: it is not shown", async (status) => {
  answer("groups/", status);
  expect(await read("group", "EVERYONE")).toEqual(NONE);
});

test.each([
  [401, { kind: "unauthorized" }],
  [429, { kind: "throttled" }],
  [500, { kind: "unavailable", reason: "status_500" }],
  [503, { kind: "unavailable", reason: "status_503" }],
])("%i says nothing about what was asked for", async (status, outcome) => {
  answer("", status);
  expect(await read("group", "EVERYONE")).toMatchObject(outcome);
  expect(await read("container", "ACTIVE!11")).toMatchObject(outcome);
});

test("a field of another shape is left out, an answer without an id is no answer, and the id is the one that was asked for", async () => {
  const odd = { full_name: 7, email: null, allow_logon: "yes", preferred_library: "x".repeat(1_025) };
  answer("users/a", 200, { data: { id: 12, ...odd } });
  expect(await read("user", "a")).toEqual({
    kind: "ok",
    value: {
      ...{ item: "user", id: "a", name: undefined, email: undefined },
      ...{ allowLogon: undefined, preferredLibrary: undefined },
    },
  });
  answer("users/b", 200, { data: { full_name: "Nobody" } });
  expect(await read("user", "b")).toEqual(NONE);
  answer("users/c", 200, { data: [{ id: "c" }] });
  expect(await read("user", "c")).toEqual(NONE);
});

test("an id is one segment of a path, whatever is in it", async () => {
  expect(await read("user", "dom/../../ain?x=1#y")).toEqual(NONE);
  expect(asked()).toEqual(["users/dom%2F..%2F..%2Fain%3Fx%3D1%23y"]);
  expect(await read("user", "..")).toEqual({ kind: "unavailable", reason: "malformed_request" });
});
