import { expect, test } from "vitest";
import { importing, OldWriter, usedTwice } from "../kit/importing.ts";
import { world } from "../kit/world.ts";

test("tokens of another system come in and are held, are opened when it has stopped, and serve the application", async () => {
  const here = await world();
  const old = new OldWriter(here);
  for (let i = 0; i < 3; i++) old.connect(i);
  const kit = await importing(here);
  const calls = () => here.simulator.counts().grant_types.refresh_token ?? 0;

  const before = calls();
  const planned = await kit.from("plan", old.json());
  expect(planned).toMatchObject({ code: 0, out: expect.stringContaining("3 will be imported and held.") });
  expect(await kit.status()).toMatchObject({ held: 0 });

  expect((await kit.from("run", old.json())).out).toContain("3 were imported and are held.");
  // Nothing is sent while it is held, whoever asks.
  expect((await kit.token("u-1")).status).toBe(503);
  expect(await kit.work()).toBe(0);
  expect(calls()).toBe(before);
  // The other system goes on meanwhile; what it has refreshed comes in again before it is opened.
  await old.refresh(1);
  expect((await kit.from("open", old.json(), "--yes")).out).toContain("3 authorizations are refreshed here");
  await kit.work();
  expect(await kit.status()).toMatchObject({ held: 0, opened: 0, waiting: [], verified: 3, quarantined: [] });
  expect((await kit.token("u-1")).status).toBe(200);
  expect(usedTwice(here)).toBe(0);
});

test("a token whose owner is another than the file says is handed to nobody, and its person's own sign-in puts it right (T11)", async () => {
  const here = await world();
  const old = new OldWriter(here);
  for (let i = 0; i < 3; i++) old.connect(i);
  const [one, other] = old.people;
  [one!.refreshToken, other!.refreshToken] = [other!.refreshToken, one!.refreshToken];
  const kit = await importing(here);
  await kit.from("run", old.json());
  await kit.from("open", old.json(), "--yes", "--over", "0");

  // Whoever asks first is the one who finds out, and so is the worker.
  expect(await kit.token("u-0")).toMatchObject({ status: 409, body: { code: "reauthorization_required" } });
  await kit.work();
  const standing = await kit.status();
  expect(standing).toMatchObject({ verified: 1, waiting: [] });
  expect(standing.quarantined).toHaveLength(2);
  const { out } = await kit.cli("status", "--server", kit.path);
  expect(out).toMatch(/^Put aside {2}2 /m);
  expect(out).toMatch(
    /^ {2}grt_\w+ {2}user\.0: iManage names another person\. He authorises once in the application\.$/m,
  );
  for (const subject of ["u-0", "u-1"]) expect((await kit.token(subject)).status).toBe(409);
  expect((await kit.token("u-2")).status).toBe(200);

  const before = await here.broker.grantStore.pending(here.organisation as never, 100);
  expect(before).toEqual([]);
  const healed = await here.connect({ subject: "u-0", username: "user.0", password: "x" });
  expect(healed.body).toMatchObject({ state: "connected" });
  expect((await kit.token("u-0")).status).toBe(200);
  // What was another's is of no use here and goes to be revoked.
  expect(await here.broker.grantStore.pending(here.organisation as never, 100)).toHaveLength(2);
  expect(await kit.status()).toMatchObject({ verified: 1, over: 1 });
});

test("a person named by his e-mail is found by what iManage calls him from then on", async () => {
  const here = await world();
  const old = new OldWriter(here);
  old.connect(0);
  old.people[0]!.user = "User.0@Firm.example";
  const kit = await importing(here);
  await kit.from("run", old.json());
  await kit.from("open", old.json(), "--yes");
  const { body } = await kit.token("u-0");
  expect(body).toMatchObject({ customer_id: "5948" });
  const again = await here.connect({ subject: "u-0", username: "user.0", password: "x" });
  expect(again.body).toMatchObject({ state: "connected", grant: body.grant });
});

test("until iManage has said whose it is nothing is served, and asking again spends nothing", async () => {
  const here = await world();
  const old = new OldWriter(here);
  old.connect(0);
  const kit = await importing(here);
  await kit.from("run", old.json());
  await kit.from("open", old.json(), "--yes");
  here.simulator.addFault({
    on: { route: "discovery" },
    times: 2,
    do: { answer: { status: 503 } },
  });
  expect(await kit.token("u-0")).toMatchObject({ status: 503, body: { code: "imanage_unavailable" } });
  expect(await kit.token("u-0")).toMatchObject({ status: 503, body: { code: "imanage_unavailable" } });
  expect((await kit.status()).waiting).toHaveLength(1);
  const refreshes = () => here.simulator.counts().grant_types.refresh_token;
  expect(refreshes()).toBe(1);
  await kit.work(20_000);
  await kit.work(20_000);
  expect(await kit.status()).toMatchObject({ waiting: [], verified: 1 });
  expect((await kit.token("u-0")).status).toBe(200);
  expect(refreshes()).toBe(1);
});

test("another application's tokens are refused before anything is sent, line by line, with who must act", async () => {
  const here = await world();
  const kit = await importing(here);
  const csv = [
    "subject,imanage_user,client_id,refresh_token,issued_at",
    "u-1,user.1,token-broker,sim_rt_a,2026-01-01T00:00:00Z",
    '"u-2","user.2",another-app,"sim_rt_b",',
    "u-3,user.3,token-broker,,",
    "u-4,USER.1,token-broker,sim_rt_c,",
    "u-5,user.5,token-broker,sim_rt_d,yesterday",
    "",
    "u-1,user.6,token-broker,sim_rt_e,",
    ",user.7,token-broker,sim_rt_f,",
    "u-8,user.8,token-broker,sim_rt_a,",
  ].join("\r\n");
  for (const command of ["plan", "run"] as const) {
    const said = await kit.from(command, csv, "--format", "csv", "--json");
    const { faults } = JSON.parse(said.out) as { faults: { line: number; code: string; detail?: string }[] };
    expect([said.code, ...faults.map(({ line, code, detail }) => [line, code, detail])]).toEqual([
      1,
      [3, "other_application", "another-app is not token-broker"],
      [4, "no_refresh_token", undefined],
      [5, "person_twice", "line 2"],
      [6, "bad_time", "issued_at"],
      [8, "subject_twice", "line 2"],
      [9, "field_missing", "subject"],
      [10, "token_twice", "line 2"],
    ]);
    expect(`${said.out}${said.err}`).not.toContain("sim_rt_");
  }
  expect((await kit.from("plan", csv, "--format", "csv")).out).toContain(
    "REFUSED  1  other_application: It was issued to another application at iManage",
  );
  expect(await kit.status()).toMatchObject({ held: 1 });
  expect(here.simulator.counts().routes.token ?? 0).toBe(0);

  const nothing = await kit.from("plan", "subject;imanage_user\nx;y sim_rt_q", "--format", "csv");
  expect(nothing).toMatchObject({ code: 1, out: "", err: expect.stringContaining("has no subject") });
  const broken = await kit.from("plan", '{"tokens": [{"refresh_token": "sim_rt_z"', "--format", "json");
  expect(broken).toMatchObject({ code: 1, err: expect.not.stringContaining("sim_rt_") });
});

test("what was not used here is taken out again and goes on where it was; the rest is named, and nothing is revoked", async () => {
  const here = await world();
  const old = new OldWriter(here);
  for (let i = 0; i < 4; i++) old.connect(i);
  const kit = await importing(here);
  await kit.from("run", old.json());
  await kit.from("open", old.json(), "--yes", "--first", "2", "--over", "0");
  expect((await kit.token("u-0")).status).toBe(200);
  expect((await kit.cli("undo", "--server", kit.path)).err).toContain("Nothing was changed.");
  const undone = await kit.cli("undo", "--server", kit.path, "--yes");
  expect(undone.out).toContain("3 were taken out");
  expect(undone.out).toMatch(/1 were used here[\s\S]*grt_\w+ {2}user\.0\n/);
  for (const i of [1, 2, 3]) await old.refresh(i);
  expect([old.refused, usedTwice(here)]).toEqual([0, 0]);
  expect(await here.broker.grantStore.pending(here.organisation as never, 100)).toEqual([]);
  // And in again, another day.
  expect((await kit.from("run", old.json())).out).toContain("3 were imported and are held.");
});

test("the same file, an older one and a newer one may be run in any order: none takes a newer token's place", async () => {
  const here = await world();
  const old = new OldWriter(here);
  for (let i = 0; i < 3; i++) old.connect(i);
  const kit = await importing(here);
  const first = old.json();
  await kit.from("run", first);
  await old.refresh(0);
  const second = old.json();
  expect((await kit.from("run", second)).out).toMatch(
    /^0 were imported .*\. 1 took the place .*\. 2 are here already\.$/m,
  );
  const older = await kit.from("run", first, "--json");
  expect(JSON.parse(older.out)).toMatchObject({ same: 2, faults: [{ code: "older", line: 4 }] });
  await kit.from("open", second, "--yes", "--over", "0");
  await kit.work();
  // What was used here does not come in again, whichever file says so; and that the other system went on is told.
  expect(JSON.parse((await kit.from("run", second, "--json")).out)).toMatchObject({ same: 3, faults: [] });
  old.people[1]!.refreshToken = here.simulator.issueTokens({ client_id: "token-broker", user: "user.1" })
    .refresh_token!;
  const gone = await kit.from("plan", old.json(), "--json");
  expect(JSON.parse(gone.out)).toMatchObject({ faults: [{ code: "open", remedy: "operator" }] });
  expect(usedTwice(here)).toBe(0);
});

test("who authorises himself while his import is held or wrong is believed, also where the file knew him under another name", async () => {
  const here = await world();
  const old = new OldWriter(here);
  old.connect(0);
  old.people[0]!.user = "somebody.else";
  const kit = await importing(here);
  await kit.from("run", old.json());
  const connected = await here.connect({ subject: "u-0", username: "user.0", password: "x" });
  expect(connected.body).toMatchObject({ state: "connected" });
  expect((await kit.token("u-0")).status).toBe(200);
  expect(await here.broker.grantStore.pending(here.organisation as never, 100)).toEqual([]);
  const again = await kit.from("run", old.json(), "--json");
  expect(JSON.parse(again.out)).toMatchObject({ imported: 0, faults: [{ code: "ended" }] });
});

test("an old export costs few people: more are opened only after few have shown that the other system has stopped", async () => {
  const here = await world();
  const old = new OldWriter(here);
  for (let i = 0; i < 130; i++) old.connect(i);
  const kit = await importing(here);
  const stale = old.json();
  await kit.from("run", stale);
  const all = await kit.from("open", stale, "--yes", "--over", "0");
  expect(all).toMatchObject({ code: 1, err: expect.stringContaining("Begin with few: --first 10.") });
  for (let i = 0; i < 3; i++) await old.refresh(i);
  await kit.from("open", stale, "--yes", "--over", "0", "--first", "6");
  await kit.work();
  expect(await kit.status()).toMatchObject({ held: 124, verified: 3, refused: [{}, {}, {}] });
  const more = await kit.from("open", stale, "--yes");
  expect(more.err).toContain("iManage refused 3 of 6 that were opened before");
  expect(await kit.status()).toMatchObject({ held: 124 });
});
