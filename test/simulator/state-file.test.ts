import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../src/simulator/start-simulator.ts";
import { api, authorizeUrl, failure, LIBRARIES, refresh, signIn, simulator, tokensFor } from "./visitor.ts";

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "simulator-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

test("a simulator started again knows every token, code, session, switch, fault and its clock", async () => {
  const stateFile = join(await folder(), "state.json");
  const before = await simulator({ stateFile });
  before.setSwitches({ refresh_mode: "rotate" });
  before.addFault({ id: "kept", on: { route: "revoke" }, do: { drop_before: "reset" } });
  before.editDocument("ACTIVE", "ACTIVE!1001.1", { name: "Kept" });
  before.advance(60_000);
  const first = await tokensFor(before);
  const { body: second } = await refresh(before, first.refresh_token);
  const { cookie, parameters } = await signIn(before, { username: "b.okafor", password: "okafor" });
  await before.close();

  const after = await simulator({ stateFile });
  expect(after.now()).toBe(before.now());
  expect(after.switches().refresh_mode).toBe("rotate");
  expect(after.faults()).toMatchObject([{ id: "kept" }]);
  expect(after.truth()).toEqual(before.truth());
  expect(after.counts()).toEqual(before.counts());
  expect(after.libraries.find(5948, "ACTIVE")?.documents[0]?.name).toBe("Kept");
  expect((await api(after, LIBRARIES, second.access_token)).status).toBe(200);
  expect((await refresh(after, first.refresh_token)).body.error).toBe("invalid_grant");
  expect((await refresh(after, second.refresh_token)).status).toBe(200);
  expect(parameters.get("code")).toBeTruthy();
  const page = await fetch(authorizeUrl(after), {
    headers: { cookie: cookie.replace(/^[^=]+/, `sim_imanage_${new URL(after.origin).port}`) },
  });
  expect(await page.text()).toContain("Continue as Benedict Okafor");
});

test("a generated library is kept as its recipe and what differs from it, and a file of before knows what came since", async () => {
  const stateFile = join(await folder(), "state.json");
  const before = await simulator({ stateFile });
  before.libraries.put({ customer_id: 5948, id: "BIG", generated: { documents: 100_000, seed: 5 } });
  before.startActivity({ library: "BIG", count: 40 });
  const some = (of: typeof before) => of.documents("BIG", { offset: 50_000, limit: 100 });
  const [seen, last] = [some(before), before.documents("BIG", { offset: 99_990 })];
  await before.close();
  const text = await readFile(stateFile, "utf8");
  expect(text.length).toBeLessThan(200_000);

  const state = JSON.parse(text);
  delete state.counts.resources;
  delete state.switches.change_events;
  for (const library of state.world.libraries) if (library.id !== "BIG") delete library.workspaces;
  await writeFile(stateFile, JSON.stringify(state));
  const after = await simulator({ stateFile });
  expect(some(after)).toEqual(seen);
  expect(after.documents("BIG", { offset: 99_990 })).toEqual(last);
  expect(after.switches().change_events).toBe("there");
  expect(after.counts().resources).toEqual({});
});

test("the state is on disk before the answer is sent, so that a kill loses no rotation", async () => {
  const stateFile = join(await folder(), "state.json");
  const sim = await simulator({ stateFile });
  const { refresh_token } = await tokensFor(sim);
  const { body } = await refresh(sim, refresh_token);
  expect(await readFile(stateFile, "utf8")).toContain(body.refresh_token);
});

test("an answer that is lost after acting was written down all the same", async () => {
  const stateFile = join(await folder(), "state.json");
  const sim = await simulator({ stateFile });
  const { refresh_token } = await tokensFor(sim);
  sim.addFault({ on: { route: "token" }, do: { drop_after: "reset" } });
  await failure(refresh(sim, refresh_token));
  const [family] = JSON.parse(await readFile(stateFile, "utf8")).families;
  expect(family.refresh_tokens).toHaveLength(2);
});

test("writes are shared by requests at the same moment, and leave only the file, readable to its owner", async () => {
  const path = await folder();
  const sim = await simulator({ stateFile: join(path, "state.json") });
  const users = [
    ["amelia.hart", "hart"],
    ["b.okafor", "okafor"],
    ["clara.voss", "voss"],
  ] as const;
  const tokens = await Promise.all(
    users.map(([username, password]) => tokensFor(sim, { username, password })),
  );
  expect(await readdir(path)).toEqual(["state.json"]);
  expect((await stat(join(path, "state.json"))).mode & 0o077).toBe(0);
  const text = await readFile(join(path, "state.json"), "utf8");
  for (const { refresh_token } of tokens) expect(text).toContain(refresh_token);
});

test("a state file of another version is refused", async () => {
  const stateFile = join(await folder(), "state.json");
  await writeFile(stateFile, '{"v":99}');
  await expect(startSimulator({ stateFile })).rejects.toThrow("another version");
});

test("several simulators in one process share nothing", async () => {
  const [one, other] = [await simulator(), await simulator()];
  const { access_token, refresh_token } = await tokensFor(one);
  one.setSwitches({ refresh_mode: "same" });
  expect((await api(other, LIBRARIES, access_token)).status).toBe(401);
  expect((await refresh(other, refresh_token)).body.error).toBe("invalid_grant");
  expect(other.switches().refresh_mode).toBe("strict");
  expect(other.truth().families).toEqual([]);
});
